"""Classifiers that were trained elsewhere."""

from typing import Any

from ninja import File, Form, Router, Status
from ninja.files import UploadedFile
from ninja.params import functions as params

from classifier.access import SignedIn, find_project
from classifier.api import backbone_schemas, schemas
from classifier.api.errors import errors
from classifier.api.versions import find_version
from classifier.services.custom_backbones import request_import, request_reimport

router = Router()
NO_FILE = params.File(None)


@router.post("/projects/{slug}/imports", response={202: schemas.JobRef, **errors(400, 404, 409, 413, 422)})
def import_version(
    request: SignedIn,
    slug: str,
    graph: File[UploadedFile],
    fields: Form[backbone_schemas.ImportIn],
    labels: UploadedFile | None = NO_FILE,
) -> Any:
    """Import a classifier that was trained elsewhere, as a model version of the project.

    `graph` is a retrained_graph.pb, a SavedModel, a .tflite, .keras or .h5 file, or an export of Teachable Machine.
    `labels` is a file or a text with a label per line.
    """
    project = find_project(request, slug)
    asked = fields.dict(exclude={"labels"})
    given = labels if labels is not None else fields.labels or None
    return Status(202, {"job": request_import(project, graph, by=request.user, labels=given, **asked).pk})


@router.post(
    "/projects/{slug}/versions/{number}/reimport", response={202: schemas.JobRef, **errors(400, 404, 409, 413, 422)}
)
def reimport_version(request: SignedIn, slug: str, number: int, payload: backbone_schemas.ReimportIn) -> Any:
    """Make another version of an imported one, which sees pictures with another range or framing."""
    version = find_version(request, slug, number)
    return Status(202, {"job": request_reimport(version, by=request.user, **payload.dict()).pk})
