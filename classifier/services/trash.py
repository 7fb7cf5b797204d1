"""The trash: projects and versions that somebody has deleted, until they are deleted for good.

What is in it is found nowhere else, takes as much room as before, and can be restored. `classifier.services.purging`
deletes it for good when its days are over, or for somebody who cannot wait.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.utils import timezone

from classifier.jobs.kinds import DELETE
from classifier.jobs.lifecycle import cancel_job
from classifier.models import CustomBackbone, Export, Image, Job, ModelVersion, Project, PublicLink, Sample
from classifier.models.alias import LIVE
from classifier.roles import Role
from classifier.selectors import list_projects
from classifier.services.artifacts import list_artifact_paths
from classifier.services.audit_log import record
from ml.errors import Conflict, Refused

log = structlog.get_logger(__name__)


class LiveStays(Conflict):
    """The live version answers predictions."""

    def __init__(self) -> None:
        super().__init__("This version is live. Make another one live first, or delete the project.")


class TakenMeanwhile(Conflict):
    """What is to be restored has been made again."""

    def __init__(self, version: ModelVersion) -> None:
        super().__init__(
            f"The same pictures and settings have been trained again: version {version.number}. Delete that one first."
        )


class BeingDeleted(Conflict):
    """A job deletes the project for good, and has begun with its pictures."""

    def __init__(self) -> None:
        super().__init__("This project is being deleted for good. What is left of it cannot be restored now.")


class NotItsName(Refused):
    """What was typed is not the name of what is to be deleted at once."""

    def __init__(self) -> None:
        super().__init__("The name is another one. Type the name of the project as it stands on its pages.")


@dataclass(frozen=True)
class Consequences:
    """What goes with a thing that is deleted.

    Attributes:
        numbers: (words, number) of what it has, without what there is none of.
        bytes: that deleting it for good gives back.
    """

    numbers: list[tuple[str, int]]
    bytes: int


def leaves_at(deleted_at: datetime) -> datetime:
    """Return when something that was deleted then is deleted for good."""
    return deleted_at + timedelta(days=settings.TRASH_DAYS)


def list_trashed_projects(user: User) -> QuerySet[Project]:
    """List the deleted projects that this user owns, the newest first."""
    return Project.objects.filter(owner=user).exclude(deleted_at=None).order_by("-deleted_at")


def list_trashed_versions(user: User) -> QuerySet[ModelVersion]:
    """List the deleted versions of the projects that this user may edit, the newest first."""
    trashed = ModelVersion.every.exclude(deleted_at=None).filter(project__in=list_projects(user, Role.EDITOR))
    return trashed.select_related("project").order_by("-deleted_at")


def check_name(project: Project, typed: str) -> None:
    """Check that somebody who cannot wait has typed what is to be deleted at once. Raise NotItsName."""
    if typed.strip() != project.name:
        raise NotItsName


def delete_project(project: Project) -> None:
    """Move a project to the trash and cancel its jobs. Nobody finds it, and its versions answer no longer."""
    Project.objects.filter(pk=project.pk, deleted_at=None).update(deleted_at=timezone.now())
    for job in Job.objects.filter(project=project, parent=None, status__in=Job.OPEN):
        cancel_job(job)
    record("project.deleted", project, slug=project.slug)
    log.info("project_deleted", project=project.pk)


def restore_project(project: Project) -> None:
    """Take a project out of the trash, as it was. Raise BeingDeleted."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # nobody begins to delete it for good meanwhile
        if is_being_purged(project):
            raise BeingDeleted
        Project.objects.filter(pk=project.pk).update(deleted_at=None)
    record("project.restored", project, slug=project.slug)
    log.info("project_restored", project=project.pk)


def is_being_purged(project: Project) -> bool:
    """Return whether a job deletes this project for good."""
    return list_purges(project).filter(status__in=Job.OPEN).exists()


def list_purges(project: Project) -> QuerySet[Job]:
    """List the jobs that delete this project for good, or were to."""
    return Job.objects.filter(kind=DELETE.name, config__project=project.pk)


def delete_version(version: ModelVersion) -> None:
    """Move a version to the trash, with its aliases, exports and public link. Raise LiveStays."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=version.project_id)  # nobody makes it live meanwhile
        if version.aliases.filter(name=LIVE).exists():
            raise LiveStays
        ModelVersion.objects.filter(pk=version.pk).update(deleted_at=timezone.now())
        record("version.deleted", version.project, version=version.number)


def restore_version(version: ModelVersion) -> None:
    """Take a version out of the trash, with what it had. Raise TakenMeanwhile."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=version.project_id)
        same = ModelVersion.objects.filter(project=version.project_id, fingerprint=version.fingerprint).first()
        if same is not None and same.pk != version.pk:
            raise TakenMeanwhile(same)
        ModelVersion.every.filter(pk=version.pk).update(deleted_at=None)
        record("version.restored", version.project, version=version.number)


def consequences_of_project(project: Project) -> Consequences:
    """Count what goes with a project. Pictures that other projects have too stay there."""
    samples = Sample.objects.filter(project=project)
    versions = ModelVersion.every.filter(project=project)
    exports = Export.objects.filter(model_version__project=project).exclude(sha256="")
    numbers = {
        "pictures": samples.count(),
        "classes": project.classes.filter(deleted_at=None).count(),
        "model versions": versions.count(),
        "exports": exports.count(),
        "public links": PublicLink.objects.filter(model_version__project=project).count(),
        "members": project.memberships.count(),
        "jobs": project.jobs.filter(parent=None, background=False).count(),
    }
    return Consequences(_some(numbers), _own_picture_bytes(project) + (exports.aggregate(n=Sum("size"))["n"] or 0))


def consequences_of_version(version: ModelVersion) -> Consequences:
    """Count what goes with a version."""
    exports = version.exports.exclude(sha256="")
    numbers = {
        "exports": exports.count(),
        "aliases": version.aliases.count(),
        "public links": PublicLink.objects.filter(model_version=version).count(),
    }
    sizes = (_size(path) for path in list_artifact_paths(version.artifact_digest))
    rows = (own_networks(version), exports)
    return Consequences(_some(numbers), sum(sizes) + sum(row.aggregate(n=Sum("size"))["n"] or 0 for row in rows))


def own_networks(version: ModelVersion) -> QuerySet[CustomBackbone]:
    """Return the network that was fine-tuned or imported for this version, if no other one of the project has it."""
    others = ModelVersion.every.filter(project=version.project_id, backbone=version.backbone).exclude(pk=version.pk)
    return CustomBackbone.objects.filter(~Exists(others), project=version.project_id, name=version.backbone)


def _own_picture_bytes(project: Project) -> int:
    elsewhere = Sample.objects.filter(image=OuterRef("pk")).exclude(project=project)
    own = Image.objects.filter(~Exists(elsewhere), samples__project=project)
    return int(own.aggregate(n=Sum("size"))["n"] or 0)


def _size(path: str) -> int:
    try:
        return int(default_storage.size(path))
    except OSError:
        return 0


def _some(numbers: dict[str, int]) -> list[tuple[str, int]]:
    return [
        (words if number != 1 else words.removesuffix("es" if words == "classes" else "s"), number)
        for words, number in numbers.items()
        if number
    ]
