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
def tflite(backbone: Backbone, backbones: Path) -> Path:
    return ensure_tflite(backbone, backbones)


@pytest.fixture(scope="session")
def engine(tflite: Path) -> LiteRTEngine:
    return LiteRTEngine(tflite)
