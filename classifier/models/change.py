from django.conf import settings
from django.db import models

from classifier.models.project import Project
from classifier.models.sample import Sample


class Change(models.Model):
    """One act of a person upon a project's samples or classes: its history, and what it takes to undo it.

    `classifier.services.changes` is the only writer.
    """

    class Kind(models.TextChoices):
        MOVE = "move", "moved to a class"
        UNLABEL = "unlabel", "taken out of their class"
        LABEL = "label", "labelled"
        DELETE = "delete", "moved to the trash"
        RESTORE = "restore", "restored from the trash"
        SPLIT = "split", "put into a split"
        GROUP = "group", "put into a group"
        TAG = "tag", "tagged"
        RENAME_CLASS = "rename_class", "class renamed"
        MERGE_CLASS = "merge_class", "class merged"
        DELETE_CLASS = "delete_class", "class deleted"
        EDIT_CLASS = "edit_class", "class changed"
        RESTORE_DATASET = "restore_dataset", "dataset version restored"
        UNDO = "undo", "undone"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=20, choices=Kind)
    count = models.PositiveIntegerField(default=0, help_text="samples that it changed")
    details = models.JSONField(default=dict, help_text="names for the sentence that tells of it")
    classes = models.JSONField(default=dict, help_text="{class id: [fields before, fields after]}")
    undoes = models.OneToOneField("self", null=True, on_delete=models.CASCADE, related_name="undone_by")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.count} {self.get_kind_display()}"


class SampleChange(models.Model):
    """What a change did to one sample: the fields that it changed, before and after."""

    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="samples")
    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="changes")
    before = models.JSONField()
    after = models.JSONField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.before} -> {self.after}"
