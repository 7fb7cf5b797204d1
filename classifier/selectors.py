"""The reads. Every one that serves a request starts from the user."""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db.models import Count, F, Q, QuerySet, Subquery
from django.http import Http404
from django.shortcuts import get_object_or_404

from classifier.models import (
    Alias,
    CustomBackbone,
    DatasetVersion,
    Export,
    Image,
    ImageClass,
    Job,
    Membership,
    ModelVersion,
    Project,
    Sample,
    Team,
    Upload,
    UploadItem,
)
from classifier.models.alias import LIVE
from classifier.parsing import parse_number
from classifier.prepared import PreparedObjects
from classifier.roles import Role, at_least, strongest
from ml.videos.frames import LATER_FRAME


def list_projects(user: User | Subquery, least: Role = Role.VIEWER) -> QuerySet[Project]:
    """List the projects in which this user has at least this role: as owner, as member, or through a team.

    Instead of the user, a subquery for the id of a user is accepted.
    """
    shared = Membership.objects.filter(_of(user), role__in=at_least(least))
    return Project.objects.filter(Q(owner=user) | Q(pk__in=shared.values("project")), deleted_at=None)


def _of(user: User | Subquery) -> Q:
    """Return what memberships of a user, and of the teams of a user, have in common."""
    teams = Team.members.through.objects.filter(user=user).values("team")  # type: ignore[misc] # knows no subquery
    return Q(user=user) | Q(team__in=teams)


def find_role(user: User, project: Project) -> Role | None:
    """Return the role of a user in a project, None for strangers."""
    if project.owner_id == user.pk:
        return Role.OWNER
    return strongest(list(project.memberships.filter(_of(user)).values_list("role", flat=True)))


BY_SLUG = PreparedObjects(Project, lambda slug: Project.objects.filter(slug=slug, deleted_at=None), str)


def get_project(user: User, slug: str) -> Project:
    """Return a project with the role of this user in it; raise Http404 for strangers, as where there is none.

    It asks for the role by itself, which for owners is no query: most requests are theirs.
    """
    project = next(BY_SLUG.objects(slug), None)
    if project is None or (role := find_role(user, project)) is None:
        raise Http404
    project.role = role
    return project


def list_jobs(user: User) -> QuerySet[Job]:
    """List the jobs of the user's projects, without parts of another one and what is done in the background."""
    theirs = Q(project__in=list_projects(user)) | Q(project=None, created_by=user)
    return Job.objects.filter(theirs, parent=None, background=False).select_related(
        "project", "upload", "sweep__project"
    )


def list_custom_backbones(user: User) -> QuerySet[CustomBackbone]:
    """List the backbones that this user added, with those that are still being opened or were refused."""
    return CustomBackbone.objects.filter(owner=user, project=None, is_offered=True).select_related("job")


def class_counts(project: Project) -> dict[int, int]:
    """Count the samples of each class, by its id, from the index alone."""
    kept = Sample.objects.filter(project=project, deleted_at=None, image_class__isnull=False)
    return dict(kept.order_by().values_list("image_class").annotate(Count("id")))


def list_classes(project: Project) -> QuerySet[ImageClass]:
    """List the classes of a project in the order of its pages, without those that were deleted or merged."""
    return project.classes.filter(deleted_at=None).order_by("position", "name")  # they know their project


def list_every_class(project: Project) -> QuerySet[ImageClass]:
    """List the classes of a project with those that are gone, whose names old versions still answer with."""
    return project.classes.all()


def list_left_out(project: Project) -> QuerySet[ImageClass]:
    """List the classes that trainings leave out, as somebody has said."""
    return list_classes(project).filter(in_training=False)


def list_samples(
    project: Project, image_class: ImageClass | None = None, *, deleted: bool = False, unlabelled: bool = False
) -> QuerySet[Sample]:
    """List samples, newest first, with their images; only those of a class, or only those without one, if wanted."""
    samples = Sample.objects.filter(project=project, deleted_at__isnull=not deleted)
    if image_class is not None:
        samples = samples.filter(image_class=image_class)
    if unlabelled:
        samples = samples.filter(image_class=None)
    return samples.select_related("image", "image_class").order_by("-pk")


def list_damaged_samples(project: Project) -> QuerySet[Sample]:
    """List the samples whose pictures were found missing or damaged, which no training uses; see `check_files`."""
    damaged = Sample.objects.filter(project=project, deleted_at=None, image__damaged_at__isnull=False)
    return damaged.select_related("image_class").order_by("pk")


def samples_of_images(project: Project, sha256s: Iterable[str]) -> list[Sample]:
    """List the samples of these pictures that are not in the trash, in this order."""
    wanted = list(sha256s)
    kept = Sample.objects.filter(project=project, deleted_at=None, image__sha256__in=wanted)
    found = {sample.image.sha256: sample for sample in kept.select_related("image", "image_class")}
    return [found[sha256] for sha256 in wanted if sha256 in found]


def live_version(project: Project) -> ModelVersion | None:
    """Return the model version that answers predictions now."""
    alias = Alias.objects.filter(project=project, name=LIVE).select_related("model_version").first()
    return alias.model_version if alias else None


def find_version(project: Project, wanted: str) -> ModelVersion | None:
    """Return the model version with this number or alias."""
    number = parse_number(wanted)
    if number is not None:
        return project.model_versions.filter(number=number).first()
    return project.model_versions.filter(aliases__name=wanted).first()


def upload_counts(upload: Upload) -> dict[str, int]:
    """Count the files of an upload by their status; a status that no file has is left out."""
    return dict(upload.items.order_by().values_list("status").annotate(Count("id")))


def list_uploads(project: Project) -> QuerySet[Upload]:
    """List the uploads, newest first, each with the number of its files under the name of every status.

    `missing` is how many files never came that were announced, null where none were; a video is one file.
    """
    counts = {status: Count("items", filter=Q(items__status=status)) for status in UploadItem.Status.values}
    found = project.uploads.select_related("job", "project").annotate(**counts)
    # The order of the model does not hold for what is counted.
    later = Count("items", filter=Q(items__file_name__contains="#") & Q(items__file_name__regex=LATER_FRAME))
    return found.annotate(missing=F("announced") - (Count("items") - later)).order_by("-pk")


def get_image(project: Project, sha256: str) -> Image:
    """Return a picture of this project; raise Http404 for those of others, even if one knows their sha256."""
    sample = get_object_or_404(Sample.objects.select_related("image"), project=project, image__sha256=sha256)
    return sample.image


def list_exports(version: ModelVersion) -> QuerySet[Export]:
    """List the exports that were requested of a version, with their jobs."""
    return version.exports.select_related("job", "model_version")


def class_names(version: ModelVersion) -> list[str]:
    """List the names of a version's classes as they are today, in the order of the head's outputs."""
    return dataset_class_names(version.dataset_version)


def dataset_class_names(version: DatasetVersion) -> list[str]:
    """List the names of a dataset version's classes as they are today, in their order."""
    today = dict(ImageClass.objects.filter(project=version.project_id).values_list("pk", "name"))
    return [today.get(pk, name) for pk, name in version.classes]
