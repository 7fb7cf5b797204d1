"""Make backbones from networks that somebody added, or that fine-tuning made (see `ml.backbones.spec`)."""

from functools import partial
from pathlib import Path
from typing import Any

from ml.backbones.backbone import Backbone
from ml.backbones.spec import GRAPH, BackboneSpec, custom_backbone_dir
from ml.settings import MLSettings


def custom_backbone(spec: BackboneSpec, settings: MLSettings) -> Backbone:
    """Return the backbone that a spec describes; its files may be missing on this machine."""
    return Backbone(
        name=spec.name,
        title=spec.title,
        input_size=spec.input_size,
        features=spec.features,
        licence=spec.licence,
        source=spec.source,
        version=1,
        find_weights=partial(_find, spec),
        builder=partial(_build, spec=spec),
        origin=spec.origin,
        spec=spec,
        settings=settings,
    )


def _find(spec: BackboneSpec, settings: MLSettings) -> Path:
    return custom_backbone_dir(spec.name, settings) / spec.file


def _build(path: Path | None, size: int, *, spec: BackboneSpec) -> Any:
    from ml.backbones.frozen_graphs import build_network

    if spec.file != GRAPH or path is None:
        raise ValueError("A .tflite file cannot be converted to other formats. Use the file that was added.")
    return build_network(path.read_bytes(), size, spec.features)
