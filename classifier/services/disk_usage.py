"""What takes room on the disk, by kind and by project, and what can be freed: measured by a job, and kept."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, Exists, OuterRef, Sum
from django.db.models.functions import Length

from classifier.jobs.kinds import DISK_USAGE
from classifier.jobs.sending import queue_job
from classifier.models import Embedding, Export, Image, Job, Project, Sample, SiteValue
from classifier.services.file_checks import list_orphans
from classifier.services.maintenance import database_size
from classifier.stored_sizes import file_size, list_sizes
from ml.machine import folder_size

KEPT_AS = "disk_usage"  # the name of the site's value
SHOWN = 50  # projects

# The folders of the default storage, each with what is in it.
FOLDERS = {
    "images": "Pictures",
    "thumbnails": "Thumbnails",
    "exports": "Exported files",
    "artifacts": "Model versions",
    "datasets": "Dataset versions",
    "summaries": "Event files of trainings",
    "checkpoints": "Trainings under way",
    "candidates": "Candidates",
    "audits": "Checks of pictures",
    "embeddings": "Embeddings, in files",
    "incoming": "Uploads waiting to be read",
    "contributions": "Pictures waiting to be accepted",
    "networks": "Networks that people added",
    "project-files": "Projects in files, to be moved",
    "hub": "Backbones for TensorFlow Hub",
}


@dataclass(frozen=True)
class Kind:
    """A kind of thing that takes room, in bytes, or of what can be freed, with how."""

    title: str
    bytes: int
    advice: str = ""


@dataclass(frozen=True)
class ProjectSize:
    """How much the pictures of a project take, those in its trash too."""

    project: Project
    pictures: int
    bytes: int


@dataclass(frozen=True)
class DiskUsage:
    """What the last measurement found; without `measured_at`, there was none."""

    measured_at: datetime | None = None
    kinds: list[Kind] = field(default_factory=list)
    freeable: list[Kind] = field(default_factory=list)
    projects: list[ProjectSize] = field(default_factory=list)
    is_being_measured: bool = False

    @property
    def total(self) -> int:
        return sum(kind.bytes for kind in self.kinds)


def get_disk_usage() -> DiskUsage:
    """Return what was measured last, in a few small queries."""
    row = SiteValue.objects.filter(name=KEPT_AS).first()
    measuring = Job.objects.filter(kind=DISK_USAGE.name, status__in=Job.OPEN).exists()
    if row is None:
        return DiskUsage(is_being_measured=measuring)
    sizes = {project: (pictures, size) for project, pictures, size in row.value["projects"]}
    known = Project.objects.filter(pk__in=sizes).select_related("owner")
    projects = sorted((ProjectSize(one, *sizes[one.pk]) for one in known), key=lambda one: -one.bytes)
    kinds, freeable = ([Kind(**one) for one in row.value[name]] for name in ("kinds", "freeable"))
    return DiskUsage(row.changed_at, kinds, freeable, projects, measuring)


def request_measurement(*, by: User) -> Job:
    """Queue the job that measures, or return the one that does."""
    known = Job.objects.filter(kind=DISK_USAGE.name, status__in=Job.OPEN).first()
    return known or queue_job(DISK_USAGE, project=None, by=by)


def measure_disk() -> None:
    """Look at every file and every row that takes room, which takes a while, and keep what was found."""
    found: dict[str, Any] = {
        "kinds": [asdict(kind) for kind in _measure_kinds()],
        "freeable": [asdict(kind) for kind in _measure_freeable()],
        "projects": _largest_projects(),
    }
    SiteValue.objects.update_or_create(name=KEPT_AS, defaults={"value": found})


def _measure_kinds() -> list[Kind]:
    sizes: Counter[str] = Counter()
    for path, size in list_sizes():
        sizes[FOLDERS.get(path.partition("/")[0], "Other files")] += size
    features = Embedding.objects.aggregate(n=Sum(Length("vector")))["n"] or 0
    rest = [
        Kind("Embeddings, in the database", features),
        Kind("The rest of the database", max(0, database_size() - features)),
        Kind("Prepared backbones", folder_size(settings.ML.backbones_dir)),
        Kind("Downloaded weights", folder_size(settings.ML.weights_dir)),
    ]
    kinds = [*(Kind(title, size) for title, size in sizes.items()), *rest]
    return sorted((kind for kind in kinds if kind.bytes), key=lambda kind: -kind.bytes)


def _measure_freeable() -> list[Kind]:
    kept = Sample.objects.filter(image=OuterRef("pk"), deleted_at=None, project__deleted_at=None)
    trashed = Image.objects.filter(~Exists(kept)).aggregate(n=Sum("size"))["n"] or 0
    exports = Export.objects.exclude(sha256="").aggregate(n=Sum("size"))["n"] or 0
    orphans = sum(file_size(problem.path) for problem in list_orphans())
    return [
        Kind(
            "Pictures in the trash", trashed, "They go by themselves after their days, or when their trash is emptied."
        ),
        Kind("Exported files", exports, "They can be deleted on the pages of their versions, and made again."),
        Kind(
            "Files that nothing refers to",
            orphans,
            "“manage.py check_files --repair” deletes them, once they are a day old.",
        ),
    ]


def _largest_projects() -> list[list[int]]:
    samples = Sample.objects.order_by().values_list("project")
    sizes = samples.annotate(pictures=Count("pk"), size=Sum("image__size")).order_by("-size")
    return [list(row) for row in sizes[:SHOWN]]
