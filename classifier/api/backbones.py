"""The backbones one can train with, and adding one."""

import json
from dataclasses import asdict
from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Form, Router, Status
from ninja.errors import HttpError
from ninja.files import UploadedFile
from ninja.params import functions as params

from classifier import catalogue
from classifier.access import SignedIn
from classifier.api import backbone_schemas, schemas
from classifier.api.errors import errors
from classifier.selectors import list_custom_backbones
from classifier.services.backbone_trash import remove_backbone
from classifier.services.custom_backbones import request_backbone

router = Router()
NO_FILE = params.File(None)


@router.get("/backbones", response={200: list[backbone_schemas.BackboneOut], **errors()})
def list_backbones(request: SignedIn) -> Any:
    """List the backbones that you can train with: those that PoetsWeb offers, and those that you added."""
    return [asdict(backbone) for backbone in catalogue.list_backbones(request.user)]


@router.post("/backbones", response={202: schemas.JobRef, **errors(400, 409, 413, 422)})
def add_backbone(
    request: SignedIn,
    fields: Form[backbone_schemas.BackboneIn],
    file: UploadedFile | None = NO_FILE,
) -> Any:
    """Start a job that adds a backbone, from TF Hub (`handle`) or from a file.

    The file is a SavedModel as .zip or .tar.gz, or a .tflite, .keras, .h5 or frozen .pb file. The fields may be sent as
    JSON where there is no file. The job's result names the backbone.
    """
    asked = _read_json(request) if request.content_type == "application/json" else fields
    job = request_backbone(by=request.user, address=asked.handle, file=file, **asked.model_dump(exclude={"handle"}))
    return Status(202, {"job": job.pk})


@router.delete("/backbones/{name}", response={204: None, **errors(400, 404, 413, 422)})
def delete_backbone(request: SignedIn, name: str) -> Any:
    """Move a backbone that you added to the trash. Versions that use it keep working."""
    remove_backbone(get_object_or_404(list_custom_backbones(request.user).exclude(name=""), name=name))
    return Status(204, None)


def _read_json(request: SignedIn) -> backbone_schemas.BackboneIn:
    try:
        values = json.loads(request.body)
        return backbone_schemas.BackboneIn(**values)
    except (ValueError, TypeError, RecursionError):
        raise HttpError(422, 'Send JSON like {"handle": "https://…"}.') from None
