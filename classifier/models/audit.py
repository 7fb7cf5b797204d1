from django.conf import settings
from django.db import models

from classifier.models.image_class import ImageClass
from classifier.models.job import Job
from classifier.models.project import Project
from classifier.models.sample import Sample


class Audit(models.Model):
    """The newest audit of a project, and its file: see `classifier.services.audit_files`."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="audit")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    digest = models.CharField(max_length=64, help_text="sha256 of the file")
    key = models.CharField(max_length=80, help_text="of the embeddings that it is made from")
    samples = models.PositiveIntegerField(help_text="that have been audited")
    learning_curve = models.JSONField(default=dict, help_text="see ml.audit.learning_curve; empty before there was one")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"audit of {self.project}"

    @property
    def path(self) -> str:
        return f"audits/{self.digest}.npz"


class SampleAudit(models.Model):
    """What an audit makes of one sample: numbers to sort and filter by. Written anew by each audit."""

    sample = models.OneToOneField(Sample, primary_key=True, on_delete=models.CASCADE, related_name="audit")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    predicted_class = models.ForeignKey(
        ImageClass, null=True, on_delete=models.SET_NULL, related_name="+", help_text="by a head trained without it"
    )
    confidence = models.FloatField(null=True, help_text="the probability of the predicted class")
    uncertainty = models.FloatField(null=True, help_text="0 for a sure answer, 1 for none: 1 - (first - second)")
    outlier_score = models.FloatField(null=True, help_text="how unlike all others of its class it is; larger is odder")

    class Meta:
        indexes = [
            models.Index(fields=["project", "confidence", "sample"], name="audit_confidence"),
            models.Index(fields=["project", "uncertainty", "sample"], name="audit_uncertainty"),
            models.Index(fields=["project", "outlier_score", "sample"], name="audit_outlier"),
        ]

    def __str__(self) -> str:
        return f"{self.sample_id}: {self.predicted_class_id}"


class Finding(models.Model):
    """Something that may be wrong with a sample or a class. What was looked at and dismissed stays dismissed."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="findings")
    kind = models.CharField(max_length=20, help_text="a name of ml.audit's kinds")
    sample = models.ForeignKey(Sample, null=True, on_delete=models.CASCADE, related_name="findings")
    image_class = models.ForeignKey(
        ImageClass,
        null=True,
        on_delete=models.CASCADE,
        related_name="findings",
        help_text="that it is about, or that the sample had when it was found",
    )
    score = models.FloatField(default=0, help_text="larger is worse; findings are shown in this order")
    details = models.JSONField(default=dict, help_text="numbers and names for the sentence that tells of it")
    dismissed_at = models.DateTimeField(null=True)
    dismissed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["-score", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "kind", "sample"],
                condition=models.Q(sample__isnull=False),
                name="finding_once_per_sample",
            ),
            models.UniqueConstraint(
                fields=["project", "kind", "image_class"],
                condition=models.Q(sample__isnull=True),
                name="finding_once_per_class",
            ),
        ]
        indexes = [models.Index(fields=["project", "kind", "dismissed_at", "-score"], name="finding_worst_first")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.sample_id or self.image_class_id}"
