"""How good a model version is: figures, curves, and the pictures behind them."""

from typing import Any

from django.http import Http404
from ninja import Router
from ninja.params import functions as params

from classifier.access import SignedIn, find_project
from classifier.api import evaluation_schemas as schemas
from classifier.api.errors import errors
from classifier.api.versions import find_version
from classifier.judged_pictures import Judged, Source, Wanted, page_of_judged
from classifier.models import ModelVersion
from classifier.sample_filters import Id
from classifier.selectors import list_every_class
from classifier.services.evaluations import Evaluated, evaluate_all, evaluate_version
from ml.evaluation.curves import STEPS
from ml.evaluation.scores import ratio

PAGE = 100

router = Router()


def _load(version: ModelVersion, of: Source) -> Evaluated:
    found = evaluate_all(version.project) if of == "all" else evaluate_version(version)
    if found is None:
        raise Http404
    return found


@router.get("/projects/{slug}/versions/{number}/evaluation", response={200: schemas.EvaluationOut, **errors(404, 422)})
def get_evaluation(request: SignedIn, slug: str, number: int, of: Source = "test") -> Any:
    """Return the figures of the test pictures, or those of the last check's cross-validated answers to all pictures."""
    found = _load(find_version(request, slug, number), of)
    constant, refs = found.summary.constant_class, _refs(found)
    return {
        **found.summary.model_dump(),
        "of": of,
        "computed_at": found.computed_at,
        "constant_class": None if constant is None else refs[constant],
        "classes": [ref | scores.model_dump() for ref, scores in zip(refs, found.summary.classes, strict=True)],
        "confusions": [
            {"true_class": refs[true], "predicted_class": refs[taken], "count": count}
            for true, taken, count in found.summary.confusions
        ],
        "order_by_likeness": [found.classes[place] for place in found.summary.order_by_likeness],
    }


def _refs(found: Evaluated) -> list[dict[str, Any]]:
    return [{"id": pk, "name": name} for pk, name in zip(found.classes, found.names, strict=True)]


@router.get(
    "/projects/{slug}/versions/{number}/evaluation/classes/{class_id}",
    response={200: schemas.CurveOut, **errors(404, 422)},
)
def get_class_curve(request: SignedIn, slug: str, number: int, class_id: int, of: Source = "test") -> Any:
    """Return precision and recall of a class, as a curve and at each threshold."""
    found = _load(find_version(request, slug, number), of)
    if class_id not in found.classes:
        raise Http404
    place = found.classes.index(class_id)
    curve, scores = found.curve(place), found.summary.classes[place]
    return {
        "image_class": _refs(found)[place],
        "n": scores.n,
        "average_precision": scores.average_precision,
        "recall": curve.recall,
        "precision": curve.precision,
        "thresholds": [
            {
                "threshold": step / STEPS,
                "called": called,
                "right": right,
                "precision": ratio(right, called),
                "recall": ratio(right, scores.n),
            }
            for step, (called, right) in enumerate(zip(curve.called, curve.right, strict=True))
        ],
    }


@router.get(
    "/projects/{slug}/versions/{number}/evaluation/pictures", response={200: schemas.JudgedPage, **errors(404, 422)}
)
def list_judged_pictures(
    request: SignedIn,
    slug: str,
    number: int,
    of: Source = "test",
    show: schemas.Show = "mistakes",
    true_class: Id | None = None,
    predicted_class: Id | None = None,
    offset: int = params.Query(0, ge=0, le=10**7),
    size: int = params.Query(PAGE, ge=1, le=1000),
) -> Any:
    """List mistakes, the most confident first, or hits, the least confident first; only those of a class, if wanted."""
    version = find_version(request, slug, number)
    wanted = Wanted(of, show == "hits", true_class, predicted_class)
    page, count = page_of_judged(version, wanted, offset=offset, size=size)
    names = dict(list_every_class(find_project(request, slug)).values_list("pk", "name"))
    return {"count": count, "pictures": [_present(one, names) for one in page]}


def _present(one: Judged, names: dict[int, str]) -> dict[str, Any]:
    return {
        "sha256": one.sha256,
        "sample": one.sample.pk if one.sample else None,
        "file": one.sample.file_name if one.sample else None,
        "true_class": {"id": one.true, "name": names.get(one.true, "")},
        "predicted_class": {"id": one.predicted, "name": names.get(one.predicted, "")},
        "probability": one.probability,
    }
