"""Provide the testing backbone, converted."""

from pathlib import Path

import pytest

from ml.backbones.backbone import Backbone
from ml.backbones.registry import get_backbone
from ml.engines.conversion import ensure_tflite
from ml.engines.litert import LiteRTEngine
from poetsweb.folders import ML


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    return get_backbone("testing", ML)


@pytest.fixture(scope="session")
def tflite(backbone: Backbone, tiny_backbone: Path) -> Path:
    return ensure_tflite(backbone, tiny_backbone)


@pytest.fixture(scope="session")
def engine(tflite: Path) -> LiteRTEngine:
    return LiteRTEngine(tflite)
