"""Model versions, and which one is live."""

from dataclasses import asdict
from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Router, Status

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import schemas, version_schemas
from classifier.api.errors import errors
from classifier.api.present import present_evaluation, present_version
from classifier.models import ModelVersion
from classifier.services import hub, leaks, model_versions, trash
from classifier.services.advice import give_advice
from classifier.services.quality_gate import check_version
from classifier.services.reproduction import request_reproduction

router = Router()


@router.get("/projects/{slug}/versions", response={200: list[version_schemas.VersionOut], **errors(404, 422)})
def list_versions(request: SignedIn, slug: str) -> Any:
    """List the model versions of a project, the newest first."""
    project = find_project(request, slug)
    live = selectors.live_version(project)
    return [present_version(version, live) for version in project.model_versions.select_related("dataset_version")]


def find_version(request: SignedIn, slug: str, number: int) -> ModelVersion:
    versions = find_project(request, slug).model_versions.select_related("dataset_version", "project")
    return get_object_or_404(versions, number=number)


@router.get("/projects/{slug}/versions/{number}", response={200: version_schemas.VersionOut, **errors(404, 422)})
def get_version(request: SignedIn, slug: str, number: int) -> Any:
    """Return a model version with its metrics."""
    version = find_version(request, slug, number)
    without = leaks.accuracy_without_leaks(version)
    shown = present_version(version, selectors.live_version(version.project))
    return shown | {"without_leaks": asdict(without) if without else None}


@router.patch(
    "/projects/{slug}/versions/{number}",
    response={200: version_schemas.VersionOut, **errors(400, 404, 409, 413, 422)},
)
def describe_version(request: SignedIn, slug: str, number: int, payload: version_schemas.DescribeIn) -> Any:
    """Change the name and the note of a version, and whether it stands before the others."""
    version = find_version(request, slug, number)
    model_versions.describe_version(version, **payload.model_dump())
    return present_version(version, selectors.live_version(version.project))


@router.get(
    "/projects/{slug}/versions/{number}/advice",
    response={200: list[version_schemas.AdviceOut], **errors(404, 422)},
)
def get_advice(request: SignedIn, slug: str, number: int) -> Any:
    """Return what to do next about a version, the most promising first, each with the fact that speaks for it."""
    return [asdict(advice) for advice in give_advice(find_version(request, slug, number))]


@router.get(
    "/projects/{slug}/versions/{number}/test-pictures",
    response={200: version_schemas.TestPicturesOut, **errors(404, 422)},
)
def list_test_pictures(request: SignedIn, slug: str, number: int) -> Any:
    """List the true and the predicted class of each test picture: what the confusion matrix counts."""
    return present_evaluation(find_version(request, slug, number))


@router.post(
    "/projects/{slug}/versions/{number}/public-link",
    response={200: schemas.PublicLinkOut, **errors(400, 404, 409, 413, 422)},
)
def create_public_link(request: SignedIn, slug: str, number: int) -> Any:
    """Return an address for `hub.load` that needs no key; it is the same one until it is revoked."""
    version = find_version(request, slug, number)
    link = hub.create_public_link(version, by=request.user)
    address = request.build_absolute_uri(reverse("hub_version", args=[version.project.slug, number]))
    return {"url": f"{address}?link={link.token}"}


@router.delete(
    "/projects/{slug}/versions/{number}/public-link", response={204: None, **errors(400, 404, 409, 413, 422)}
)
def revoke_public_link(request: SignedIn, slug: str, number: int) -> Any:
    """Revoke the public link."""
    hub.revoke_public_link(find_version(request, slug, number))
    return Status(204, None)


@router.post(
    "/projects/{slug}/versions/{number}/reproduce",
    response={202: schemas.JobRef, **errors(400, 404, 409, 413, 422)},
)
def reproduce_version(request: SignedIn, slug: str, number: int) -> Any:
    """Start a job that trains the version again from its frozen inputs and says whether the result is the same."""
    return Status(202, {"job": request_reproduction(find_version(request, slug, number), by=request.user).pk})


@router.get("/projects/{slug}/versions/{number}/gate", response={200: version_schemas.GateOut, **errors(404, 422)})
def check_quality_gate(request: SignedIn, slug: str, number: int) -> Any:
    """Hold a version against each condition of the project's quality gate."""
    conditions = check_version(find_version(request, slug, number))
    return {"passed": all(one.passed for one in conditions), "conditions": [asdict(one) for one in conditions]}


@router.post(
    "/projects/{slug}/versions/{number}/promote",
    response={200: version_schemas.VersionOut, **errors(400, 404, 409, 413, 422)},
)
def promote(request: SignedIn, slug: str, number: int) -> Any:
    """Make this version the live one, whatever the quality gate says; see `compare_model_versions` first."""
    version = find_version(request, slug, number)
    model_versions.promote(version, by=request.user)
    return present_version(version, version)


@router.delete("/projects/{slug}/versions/{number}", response={204: None, **errors(400, 404, 409, 413, 422)})
def delete_version(request: SignedIn, slug: str, number: int) -> Any:
    """Move a version to the trash, with its aliases, exports and public link. The live one stays (409)."""
    trash.delete_version(find_version(request, slug, number))
    return Status(204, None)
