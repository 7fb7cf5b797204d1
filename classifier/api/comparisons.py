"""Two versions beside each other, on the pictures that both were tested on."""

from dataclasses import asdict
from typing import Any, Literal

from ninja import Router
from ninja.params import functions as params

from classifier.access import SignedIn
from classifier.api import evaluation_schemas as schemas
from classifier.api.errors import errors
from classifier.api.versions import find_version
from classifier.comparison_words import describe_verdict
from classifier.selectors import list_every_class
from classifier.services.version_comparison import VersionComparison, compare_versions

PAGE = 100

router = Router()


@router.get(
    "/projects/{slug}/versions/{number}/compare/{other}",
    response={200: schemas.VersionComparisonOut, **errors(404, 422)},
)
def compare_model_versions(request: SignedIn, slug: str, number: int, other: int) -> Any:
    """Compare a version with another one that takes its place: what that fixes and breaks, and whether it is better."""
    found = compare_versions(find_version(request, slug, number), find_version(request, slug, other))
    return {**asdict(found), **_describe(found, number, other)}


def _describe(found: VersionComparison, before: int, after: int) -> dict[str, Any]:
    verdict = found.verdict
    better = "unknown" if verdict.better is None else verdict.better or "neither"
    sentence = describe_verdict(found, before, after)
    return {
        "fixed": len(found.fixed),
        "broken": len(found.broken),
        "verdict": {"better": better, "p": verdict.p, "differing": verdict.differing, "sentence": sentence},
    }


@router.get(
    "/projects/{slug}/versions/{number}/compare/{other}/pictures",
    response={200: schemas.ChangedPage, **errors(404, 422)},
)
def list_changed_pictures(
    request: SignedIn,
    slug: str,
    number: int,
    other: int,
    show: Literal["fixed", "broken"] = "broken",
    offset: int = params.Query(0, ge=0, le=10**7),
    size: int = params.Query(PAGE, ge=1, le=1000),
) -> Any:
    """List the pictures that only the other version gets right, or only this one; the surest mistakes first."""
    before = find_version(request, slug, number)
    found = compare_versions(before, find_version(request, slug, other))
    changes = found.fixed if show == "fixed" else found.broken
    names = dict(list_every_class(before.project).values_list("pk", "name"))

    def ref(pk: int) -> dict[str, Any]:
        return {"id": pk, "name": names.get(pk, "")}

    pictures = [
        {
            "sha256": one.sha256,
            "true_class": ref(one.after.true),
            "before": ref(one.before.predicted),
            "after": ref(one.after.predicted),
        }
        for one in changes[offset : offset + size]
    ]
    return {"count": len(changes), "pictures": pictures}
