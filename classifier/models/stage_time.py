from django.db import models


class StageTime(models.Model):
    """How long a stage of jobs has taken lately; see `classifier.jobs.stage_times`."""

    kind = models.CharField(max_length=20, help_text="a name of classifier.jobs.kinds")
    stage = models.CharField(max_length=20)
    depends = models.CharField(max_length=200, blank=True, help_text="what its time depends on, see Stage.depends_on")
    machine = models.CharField(max_length=100, blank=True, help_text="empty where many machines share the work")
    size = models.PositiveSmallIntegerField(
        default=0, help_text="bits of the number of pictures, where it depends on it"
    )
    seconds = models.FloatField(help_text="mean of the last few")
    rate = models.FloatField(null=True, help_text="units per second, likewise, of stages that have units")
    count = models.PositiveIntegerField(default=1, help_text="how many have been measured")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "stage", "depends", "machine", "size"], name="stage_time_once"),
            models.CheckConstraint(condition=models.Q(seconds__gte=0), name="stage_time_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.stage} {self.depends}: {self.seconds:.1f} s"
