from django.conf import settings
from django.db import models
from django.urls import reverse

from classifier.models.project import Project
from classifier.models.sweep import Sweep
from classifier.outages import ANSWER


class Job(models.Model):
    """Any background work. This row is the truth, not the queue.

    `status` says what is known of the work; `lease` who works on it now. A job that waits (in the queue,
    or for its children) has an empty lease, and so has one whose worker died: whoever takes the lease goes
    on. Only `classifier.jobs.lifecycle` writes either.
    """

    class Status(models.TextChoices):
        QUEUED = "QUEUED", "Waiting"
        RUNNING = "RUNNING", "Running"
        SUCCEEDED = "SUCCEEDED", "Done"
        FAILED = "FAILED", "Failed"
        CANCELLED = "CANCELLED", "Cancelled"

    OPEN = (Status.QUEUED, Status.RUNNING)

    # A backbone is added for all projects of a user, or its file is made for all users: then there is none.
    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="jobs")
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    sweep = models.ForeignKey(Sweep, null=True, on_delete=models.SET_NULL, related_name="jobs")
    kind = models.CharField(max_length=20, help_text="a name of classifier.jobs.kinds")
    number = models.PositiveIntegerField(null=True, help_text="of its project, for people; parts of a job have none")
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    config = models.JSONField(default=dict, help_text="what was asked for; never changed")

    stage = models.CharField(max_length=20, blank=True)
    stage_started_at = models.DateTimeField(null=True)
    done = models.PositiveBigIntegerField(default=0, help_text="units of this stage that are done")
    total = models.PositiveBigIntegerField(default=0, help_text="units of this stage in all")
    progress_at = models.DateTimeField(null=True, help_text="when `done` last grew")
    result = models.JSONField(default=dict, help_text="what it gave, see the result of its kind")
    state = models.JSONField(default=dict, help_text="for the code alone, see classifier.jobs.kinds.JobState")
    curve = models.JSONField(default=list, help_text="points of loss and accuracy while training")
    error = models.TextField(blank=True, help_text="a sentence for the user")
    error_detail = models.TextField(blank=True, help_text="type and traceback, for the operator")

    request_id = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="of the request that asked for it, for the logs"
    )

    lease = models.CharField(max_length=64, blank=True)
    worker = models.CharField(max_length=100, blank=True, help_text="name@machine of who has it, or had it last")
    attempts = models.PositiveIntegerField(default=0, help_text="how many times a worker began it or went on with it")
    worker_deaths = models.PositiveSmallIntegerField(
        default=0, help_text="how many workers died on it, one after the other, without getting any further"
    )
    kept = models.PositiveBigIntegerField(default=0, help_text="units of work that no death can take back")
    kept_at_death = models.PositiveBigIntegerField(default=0, help_text="how many they were when a worker last died")
    background = models.BooleanField(default=False, help_text="nobody waits for it: it gives way, and no page lists it")
    waits_for = models.CharField(max_length=40, blank=True, help_text="what is away that it needs")
    untold = models.BooleanField(default=False, help_text="it has ended, and nobody has looked who is to be told")
    not_before = models.DateTimeField(null=True, help_text="when that is tried again")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    stop_asked_at = models.DateTimeField(null=True, help_text="when somebody wanted what it has reached so far")
    dispatched_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["status", "lease"], name="job_claimable"),
            models.Index(fields=["project", "parent", "-id"], name="job_of_project"),
            models.Index(fields=["started_at"], name="job_started"),
            models.Index(fields=["untold"], condition=models.Q(untold=True), name="job_untold"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]),
                name="job_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["QUEUED", "RUNNING"], finished_at__isnull=True)
                | models.Q(status__in=["SUCCEEDED", "FAILED", "CANCELLED"], finished_at__isnull=False),
                name="job_finished_has_a_time",
            ),
            models.UniqueConstraint(fields=["project", "number"], name="job_number_once"),
        ]

    def __str__(self) -> str:
        return f"job {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("job", args=[self.project.slug, self.number]) if self.project else reverse("backbone_list")

    @property
    def own_project(self) -> Project:
        """Return the project of a job that has one: any but those that add a backbone."""
        assert self.project is not None  # noqa: S101 - for the type checker
        return self.project

    @property
    def waits_for_answer(self) -> bool:
        """Return whether a person has to say something before it goes on."""
        return self.waits_for == ANSWER

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN
