"""The backbones one can train with."""

from dataclasses import asdict
from typing import Any

from ninja import Router

from classifier import catalogue
from classifier.api import schemas
from classifier.views.access import SignedIn

router = Router()


@router.get("/backbones", response=list[schemas.BackboneOut])
def list_backbones(request: SignedIn) -> Any:
    return [asdict(backbone) for backbone in catalogue.list_backbones()]
