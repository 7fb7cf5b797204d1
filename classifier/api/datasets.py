"""A project's pictures and its dataset versions: taking them out, comparing and restoring them."""

from typing import Any, Literal

from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.params import functions as params

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import dataset_schemas as schemas
from classifier.api.auth import READ_AUTH
from classifier.api.errors import ZIP_OR_TABLE, errors
from classifier.api.sample_schemas import DownloadIn
from classifier.api.samples import choose_samples
from classifier.downloads import choose_source, send_pictures
from classifier.models import DatasetVersion
from classifier.roles import Role
from classifier.sample_filters import SampleFilter
from classifier.services.dataset_comparison import (
    Difference,
    compare_states,
    current_state,
    names_of_classes,
    state_of_version,
)
from classifier.services.dataset_pages import cut_page, page_of_version
from classifier.services.dataset_restoring import restore_version

router = Router()
SIZE = params.Query(100, ge=1, le=1000)
NUMBER = params.Query(None, ge=1, lt=2**31, description="of another dataset version; without it, as they are now")


@router.get("/projects/{slug}/download", response={200: None, **errors(404, 422)}, openapi_extra=ZIP_OR_TABLE)
def download_pictures(
    request: SignedIn,
    slug: str,
    filters: Query[SampleFilter],
    dataset_version: int | None = params.Query(None, ge=1, lt=2**31, description="all pictures of this one instead"),
    manifest_only: bool = params.Query(False, description="the table of the pictures, in CSV, without their files"),
) -> Any:
    """Return the pictures that match as a zip of class folders with a manifest, which another upload understands."""
    project = find_project(request, slug)
    return send_pictures(project, choose_source(project, filters, dataset_version), manifest_only=manifest_only)


@router.post(
    "/projects/{slug}/download",
    response={200: None, **errors(400, 404, 413, 422)},
    openapi_extra=ZIP_OR_TABLE,
    auth=READ_AUTH,
)
def download_chosen_pictures(request: SignedIn, slug: str, payload: DownloadIn) -> Any:
    """Return these samples as `download_pictures` does; ids that are not the project's are passed over."""
    project = find_project(request, slug, Role.VIEWER)
    return send_pictures(project, choose_samples(project, payload), manifest_only=payload.manifest_only)


@router.get("/projects/{slug}/dataset-versions", response={200: list[schemas.DatasetVersionOut], **errors(404, 422)})
def list_dataset_versions(request: SignedIn, slug: str) -> Any:
    """List the dataset versions of a project, the newest first."""
    project = find_project(request, slug)
    names = names_of_classes(project)
    return [_present(version, names) for version in project.dataset_versions.prefetch_related("model_versions")]


def _find(request: SignedIn, slug: str, number: int) -> DatasetVersion:
    versions = find_project(request, slug).dataset_versions.select_related("project")
    return get_object_or_404(versions, number=number)


@router.get("/projects/{slug}/dataset-versions/{number}", response={200: schemas.DatasetDetail, **errors(404, 422)})
def get_dataset_version(request: SignedIn, slug: str, number: int, after: str = "", size: int = SIZE) -> Any:
    """Return a dataset version with its pictures, in the order of their sha256s."""
    version = _find(request, slug, number)
    shown, following, _ = page_of_version(version, after=after, size=size)
    samples = [{**vars(one), "class_name": one.label, "is_there": one.sample is not None} for one in shown]
    names = dict(zip([pk for pk, _ in version.classes], selectors.dataset_class_names(version), strict=True))
    return {**_present(version, names), "samples": samples, "next": following or None}


@router.get(
    "/projects/{slug}/dataset-versions/{number}/compare",
    response={200: schemas.ComparisonOut, **errors(404, 422)},
)
def compare_dataset_versions(
    request: SignedIn,
    slug: str,
    number: int,
    other: int | None = NUMBER,
    kind: Literal["came", "went", "moved", "resplit"] = "came",
    after: str = "",
    size: int = SIZE,
) -> Any:
    """Compare a dataset version with a later one, or with the pictures as they are now."""
    version = _find(request, slug, number)
    with_ = _find(request, slug, other) if other is not None else None
    state = state_of_version(with_) if with_ else current_state(version.project)
    found = compare_states(state_of_version(version), state)
    names = names_of_classes(version.project, version, *([with_] if with_ else []))
    wanted = getattr(found, kind)
    page, following = cut_page([one.sha256 for one in wanted], after, size)
    counts = {name: len(differences) for name, differences in vars(found).items()}
    return {**counts, "differences": [_tell(one, names) for one in wanted[page]], "next": following or None}


@router.post(
    "/projects/{slug}/dataset-versions/{number}/restore",
    response={200: schemas.RestoredOut, **errors(400, 404, 409, 413, 422)},
)
def restore_dataset_version(request: SignedIn, slug: str, number: int) -> Any:
    """Make the project's pictures those of the dataset version: others with a class go to the trash."""
    act, purged = restore_version(_find(request, slug, number), by=request.user)
    return {"changed": act.count, "change": act.pk, "purged": purged}


def _present(version: DatasetVersion, names: dict[int, str]) -> dict[str, Any]:
    return {
        "number": version.number,
        "digest": version.digest,
        "pictures": version.total,
        "classes": [{"id": pk, "name": names.get(pk, name)} for pk, name in version.classes],
        "splits": {split: size for split, size, _ in version.split_sizes},
        "model_versions": sorted(model.number for model in version.model_versions.all()),
        "created_at": version.created_at,
    }


def _tell(one: Difference, names: dict[int, str]) -> dict[str, Any]:
    return {
        "sha256": one.sha256,
        "class_before": names.get(one.before.class_id) if one.before else None,
        "class_after": names.get(one.after.class_id) if one.after else None,
        "split_before": one.before.split if one.before else None,
        "split_after": one.after.split if one.after else None,
    }
