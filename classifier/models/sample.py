from django.conf import settings
from django.db import models
from django.db.models.functions import Left

from classifier.models.image import Image
from classifier.models.image_class import ImageClass
from classifier.models.project import Project
from classifier.models.upload import Upload

MAX_TAGS_LENGTH = 1000
NAME_SORTED = 120  # characters


class Sample(models.Model):
    """An image in a project, with a class or, unlabelled, without one. An unlabelled one is in no dataset version.

    An image is at most one sample of a project: a picture in two classes would teach a contradiction, and in
    two splits would make the test lie. A deleted sample keeps its row, so that it can be restored and keeps
    its split for ever.
    """

    class Split(models.TextChoices):
        TRAINING = "training", "training"
        VALIDATION = "validation", "validation"
        TEST = "test", "test"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="samples")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="samples")
    image_class = models.ForeignKey(ImageClass, null=True, on_delete=models.PROTECT, related_name="samples")
    split = models.CharField(max_length=10, choices=Split, blank=True)
    split_is_given = models.BooleanField(default=False, help_text="by a folder or a table, not dealt")
    group = models.CharField(
        max_length=200, blank=True, help_text="of samples that show the same thing, which are never in two splits"
    )
    is_compared = models.BooleanField(default=False, help_text="with the others, whether they show the same photo")
    tags = models.CharField(
        max_length=MAX_TAGS_LENGTH, blank=True, db_default="", help_text="each between bars: |blurred|check|"
    )
    file_name = models.CharField(max_length=1000)
    name_start = models.GeneratedField(
        expression=Left("file_name", NAME_SORTED),
        output_field=models.CharField(max_length=NAME_SORTED),
        db_persist=True,
        help_text="by which samples are sorted; PostgreSQL indexes no long texts",
    )
    upload = models.ForeignKey(Upload, null=True, on_delete=models.SET_NULL, related_name="samples")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["project", "image"], name="image_once_per_project"),
            models.CheckConstraint(
                condition=models.Q(split__in=["", "training", "validation", "test"]), name="split_known"
            ),
        ]
        indexes = [
            # Counting a project's classes and paging through one of them read the index alone.
            models.Index(fields=["project", "deleted_at", "image_class", "id"], name="sample_page"),
            models.Index(fields=["project", "deleted_at", "id"], name="sample_newest"),
            models.Index(fields=["project", "deleted_at", "name_start", "id"], name="sample_by_name"),
            models.Index(fields=["project", "group"], condition=~models.Q(group=""), name="sample_group"),
            models.Index(fields=["project"], condition=models.Q(is_compared=False), name="sample_uncompared"),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def tag_list(self) -> list[str]:
        return [tag for tag in self.tags.split("|") if tag]
