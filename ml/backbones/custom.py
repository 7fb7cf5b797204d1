"""Networks that people brought along, as backbones (see ml.model_import)."""

from functools import partial
from pathlib import Path
from typing import Any

from ml.backbones.backbone import Backbone
from ml.backbones.spec import GRAPH, BackboneSpec, custom_backbone_folder


def custom_backbone(spec: BackboneSpec) -> Backbone:
    return Backbone(
        name=spec.name,
        title=spec.title,
        input_size=spec.input_size,
        features=spec.features,
        licence=spec.licence,
        source=spec.source,
        version=1,
        find_weights=partial(_find, spec),
        recipe=partial(_build, spec=spec),
        network=spec,
    )


def _find(spec: BackboneSpec) -> Path:
    return custom_backbone_folder(spec.name) / spec.file


def _build(path: Path | None, size: int, *, spec: BackboneSpec) -> Any:
    from ml.backbones.frozen_graphs import build_network

    if spec.file != GRAPH or path is None:
        raise ValueError("A .tflite file cannot be made into other formats. Keep the file that was brought along.")
    return build_network(path.read_bytes(), size, spec.features)
