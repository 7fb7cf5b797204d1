from django.db import models
from django.utils import timezone

from classifier.models.project import Project
from ml.training.evaluation import Estimate, best_estimate


class Candidate(models.Model):
    """What a training of the pictures as they are would give, until the next one; a version once somebody keeps it.

    Where none could be trained it has no artifact, and a reason, or the number of the version that it would be.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="candidate")
    trained_at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=500, blank=True, help_text="why there is none, for people")
    same_as = models.PositiveIntegerField(null=True, help_text="the number of the version that it would be")
    classes = models.JSONField(default=list, help_text="as those of a dataset version")
    fingerprint = models.CharField(max_length=64, blank=True, help_text="of the pictures and the config")
    artifact_digest = models.CharField(max_length=64, blank=True)
    backbone = models.CharField(max_length=100, blank=True)
    config = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict)
    failures = models.JSONField(default=list, help_text="conditions of the quality gate that it does not meet")
    since = models.PositiveIntegerField(null=True, help_text="the number of the live version that it was compared with")
    labels = models.PositiveIntegerField(default=0, help_text="pictures that were labelled or came since then")
    removed = models.PositiveIntegerField(default=0, help_text="pictures that went since then")

    def __str__(self) -> str:
        return f"candidate of {self.project}"

    @property
    def accuracy(self) -> Estimate:
        """Return the figure to show first. Only one with an artifact has it."""
        return best_estimate(self.metrics)
