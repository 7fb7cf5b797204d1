from django.db import models

from classifier.models.model_version import ModelVersion
from classifier.models.project import Project


class EvaluationSummary(models.Model):
    """What is shown of answers to many pictures, computed once: see `ml.evaluation.summary`.

    It is of a model version and its test pictures or, without one, of the last check's cross-validated answers to all
    pictures of the project. It can be computed again at any time.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="evaluation_summaries")
    model_version = models.OneToOneField(
        ModelVersion, null=True, on_delete=models.CASCADE, related_name="evaluation_summary"
    )
    digest = models.CharField(max_length=64, help_text="of the artifact or of the audit's file")
    format = models.PositiveIntegerField(help_text="SUMMARY_VERSION of the program that computed it")
    classes = models.JSONField(help_text="ids, in the order of the places")
    summary = models.JSONField()
    curves = models.JSONField(help_text="of each class")
    created_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(model_version=None), name="checked_summary_once"
            )
        ]

    def __str__(self) -> str:
        return f"evaluation of {self.model_version or 'all pictures'}"
