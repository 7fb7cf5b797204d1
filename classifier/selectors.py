"""The reads. Every one that serves a request starts from the user."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Q, QuerySet, Subquery
from django.shortcuts import get_object_or_404
from django.utils import timezone

from classifier.models import Alias, Export, Image, ImageClass, Job, ModelVersion, Network, Project, Sample, Upload
from classifier.models.alias import LIVE

# The part of a job's whole that each stage is, for the one bar a user sees. Embedding is nearly all of a
# first training; where all embeddings are cached it is over at once.
FINE_TUNED = "fine_tuned"  # a training in which the backbone learns, too, which is most of it
STAGES: dict[str, dict[str, tuple[float, float, str]]] = {
    Job.Kind.TRAIN: {
        "fetch": (0.0, 0.01, "Downloading the backbone's weights"),
        "freeze": (0.01, 0.02, "Freezing the dataset"),
        "prepare": (0.02, 0.05, "Preparing the backbone"),
        "embed": (0.05, 0.85, "Computing embeddings"),
        "load": (0.85, 0.88, "Loading embeddings"),
        "head": (0.88, 0.98, "Training the head"),
        "evaluate": (0.98, 1.0, "Measuring on the test pictures"),
    },
    FINE_TUNED: {
        "fetch": (0.0, 0.01, "Downloading the backbone's weights"),
        "freeze": (0.01, 0.02, "Freezing the dataset"),
        "prepare": (0.02, 0.03, "Preparing the backbone"),
        "embed": (0.03, 0.15, "Computing embeddings"),
        "load": (0.15, 0.16, "Loading embeddings"),
        "head": (0.16, 0.18, "Training the head"),
        "build": (0.18, 0.2, "Getting ready to fine-tune"),
        "fine_tune": (0.2, 0.95, "Fine-tuning the backbone"),
        "convert": (0.95, 0.97, "Converting the tuned backbone"),
        "answer": (0.97, 0.99, "Answering validation and test pictures"),
        "evaluate": (0.99, 1.0, "Measuring on the test pictures"),
    },
    Job.Kind.INGEST: {
        "download": (0.0, 0.5, "Downloading"),
        "read": (0.0, 1.0, "Reading pictures"),
        "read_download": (0.5, 1.0, "Reading pictures"),
    },
    Job.Kind.EMBED: {},
    Job.Kind.HUB: {"build": (0.0, 1.0, "Making the files")},
    Job.Kind.BACKBONE: {
        "fetch": (0.0, 0.4, "Fetching the network"),
        "open": (0.4, 0.6, "Looking through the file"),
        "probe": (0.6, 0.7, "Showing it a picture"),
        "convert": (0.7, 0.95, "Converting it"),
        "measure": (0.95, 1.0, "Measuring how fast it is"),
    },
    Job.Kind.IMPORT: {
        "open": (0.0, 0.2, "Looking through the file"),
        "probe": (0.2, 0.3, "Showing it a picture"),
        "convert": (0.3, 0.6, "Converting it"),
        "answer": (0.6, 1.0, "Answering the test pictures"),
    },
    Job.Kind.EXPORT: {
        "build": (0.0, 0.5, "Making the files"),
        "check": (0.5, 1.0, "Sending the test pictures through them"),
    },
}
BEFORE_TUNING = ("fetch", "prepare", "embed", "head", "build")
PREPARE_SECONDS = 30.0  # to convert a backbone
UNITS = {
    "answer": "pictures",
    "check": "pictures",
    "embed": "pictures",
    "fine_tune": "pictures",
    "read": "pictures",
    "read_download": "pictures",
    "download": "MB",
    "fetch": "MB",
}


def list_projects(user: User | Subquery) -> QuerySet[Project]:
    """The projects this user may see. Members will be added here, and only here.

    Instead of the user, a subquery for the id of one will do.
    """
    return Project.objects.filter(owner=user)  # type: ignore[misc] # the stubs know no subquery here


def list_jobs(user: User) -> QuerySet[Job]:
    """Whole jobs of the user's projects; the parts of a job are its own affair."""
    theirs = Q(project__in=list_projects(user)) | Q(project=None, created_by=user)
    return Job.objects.filter(theirs, parent=None).select_related("project")


def list_networks(user: User) -> QuerySet[Network]:
    """The networks this user brought along to train with, those too that are still being opened or were refused."""
    return Network.objects.filter(owner=user, project=None, is_offered=True).select_related("job")


def list_classes(project: Project) -> QuerySet[ImageClass]:
    """The classes in their order, each with `count`, its samples that are not deleted."""
    kept = Count("samples", filter=Q(samples__deleted_at=None, samples__project=project))
    return project.classes.annotate(count=kept).order_by("pk")


def class_counts(project: Project) -> dict[int, int]:
    """Class id -> number of samples, from the index alone."""
    kept = Sample.objects.filter(project=project, deleted_at=None)
    return dict(kept.order_by().values_list("image_class").annotate(Count("id")))


def list_samples(project: Project, image_class: ImageClass | None = None, *, deleted: bool = False) -> QuerySet[Sample]:
    """Samples, newest first, with their images."""
    samples = Sample.objects.filter(project=project, deleted_at__isnull=not deleted)
    if image_class is not None:
        samples = samples.filter(image_class=image_class)
    return samples.select_related("image", "image_class").order_by("-pk")


def page_of_samples(samples: QuerySet[Sample], *, before: int | None, size: int) -> tuple[list[Sample], int | None]:
    """One page, and where the next begins. By id rather than offset: page 300 costs what page 1 costs."""
    if before is not None:
        samples = samples.filter(pk__lt=before)
    page = list(samples[: size + 1])
    return page[:size], (page[size - 1].pk if len(page) > size else None)


def live_version(project: Project) -> ModelVersion | None:
    """The model version that answers predictions now."""
    alias = Alias.objects.filter(project=project, name=LIVE).select_related("model_version").first()
    return alias.model_version if alias else None


def upload_counts(upload: Upload) -> dict[str, int]:
    """Status -> number of files."""
    return dict(upload.items.order_by().values_list("status").annotate(Count("id")))


def get_image(project: Project, sha256: str) -> Image:
    """A picture of this project; knowing a sha256 opens nobody else's. Raises Http404."""
    sample = get_object_or_404(Sample.objects.select_related("image"), project=project, image__sha256=sha256)
    return sample.image


def list_exports(version: ModelVersion) -> QuerySet[Export]:
    """What was asked for of a version, with the jobs."""
    return version.exports.select_related("job", "model_version")


def class_names(version: ModelVersion) -> list[str]:
    """The classes of a version in the order of its head, by the names they have today."""
    today = dict(ImageClass.objects.filter(project=version.project_id).values_list("pk", "name"))
    return [today.get(pk, name) for pk, name in version.dataset_version.classes]


@dataclass(frozen=True)
class Progress:
    """What a bar shows. `rate` in units per second; `eta` in seconds, None while nothing is measured."""

    title: str
    fraction: float
    done: int
    total: int
    unit: str
    rate: float | None
    eta: float | None


def job_progress(job: Job) -> Progress:
    """The one place where a job's row becomes a bar, for page and API alike."""
    stages = STAGES[FINE_TUNED if job.config.get("fine_tuning") else job.kind]
    low, high, title = stages.get(job.stage, (0.0, 0.0, "Waiting for a worker"))
    inside = min(job.done / job.total, 1.0) if job.total else 0.0
    fraction = 1.0 if job.status == Job.Status.SUCCEEDED else low + (high - low) * inside
    rate = _rate(job)
    return Progress(title, fraction, job.done, job.total, UNITS.get(job.stage, ""), rate, _eta(job, rate))


def _eta(job: Job, rate: float | None) -> float | None:
    """Seconds to the end, from this stage's measured rate and what is known of those that follow."""
    if not job.is_open:
        return None
    left = _eta_of_stage(job, rate)
    follows = job.facts.get("tuning_seconds", 0.0) if job.stage in BEFORE_TUNING else 0.0
    return None if left is None else left + follows


def _eta_of_stage(job: Job, rate: float | None) -> float | None:
    if job.stage == "embed":
        return max(job.total - job.done, 0) / rate + _head_seconds() if rate else None
    if job.stage in (
        "prepare",
        "build",
        "head",
        "open",
        "convert",
    ):  # they begin with loading TensorFlow: no rate could tell
        return _left_of(job, _head_seconds() if job.stage == "head" else PREPARE_SECONDS)
    return max(job.total - job.done, 0) / rate if rate else None


def _left_of(job: Job, seconds: float) -> float | None:
    """Of a stage that takes about so long. Overdue: no figure is better than a wrong one."""
    if job.stage_started_at is None:
        return None
    left = seconds - (timezone.now() - job.stage_started_at).total_seconds()
    return left if left > 0 else None


def _rate(job: Job) -> float | None:
    end: datetime = job.finished_at or timezone.now()
    if not job.stage_started_at or not job.done:
        return None
    return job.done / max((end - job.stage_started_at).total_seconds(), 0.001)


def _head_seconds() -> float:
    """What the head took in the last training, or a first guess."""
    like: dict[str, Any] = {"kind": Job.Kind.TRAIN, "status": Job.Status.SUCCEEDED, "facts__has_key": "head_seconds"}
    last = Job.objects.filter(**like).order_by("-pk").values_list("facts", flat=True).first()
    return float(last["head_seconds"]) if last else 8.0
