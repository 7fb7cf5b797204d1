"""Load the engine that a backbone runs on, and prepare a backbone for use."""

import json
from pathlib import Path

from ml.backbones.backbone import Backbone
from ml.backbones.spec import GRAPH, custom_backbone_dir
from ml.engines.confined import ConfinedEngine, in_litert, in_tensorflow
from ml.engines.conversion import converted_path, ensure_tflite, record_path
from ml.engines.litert import AS_IT_IS, Adapter, Embedder, LiteRTEngine
from ml.engines.speed import ensure_speed, keep_speed, rate, read_speed
from ml.files import write_atomically


def load_engine(backbone: Backbone, folder: Path, *, threads: int = 1) -> Embedder:
    """Load what runs a backbone: in this process if it is trusted, otherwise in a confined one.

    `folder` contains converted backbones. Raise whatever `ensure_tflite` raises.
    """
    if backbone.needs_tensorflow:
        file, how = custom_backbone_dir(backbone.name, backbone.machine) / GRAPH, in_tensorflow()
        return _confine(backbone, file, how)
    file, adapter = ensure_tflite(backbone, folder), adapter_of(backbone)
    if backbone.is_trusted:
        return LiteRTEngine(file, threads=threads, adapter=adapter)
    return _confine(backbone, file, in_litert(threads, adapter))


def adapter_of(backbone: Backbone) -> Adapter:
    """Return what LiteRT has to do before and after the network of a backbone."""
    spec = backbone.spec
    return Adapter(spec.scale, spec.offset, spec.logarithm, spec.one_output) if spec else AS_IT_IS


def _confine(backbone: Backbone, file: Path, how: list[str]) -> ConfinedEngine:
    return ConfinedEngine(
        file,
        how,
        input_size=backbone.input_size,
        features=backbone.features,
        framing=backbone.framing,
        unconfined=backbone.may_run_unconfined,
    )


def ensure_ready(backbone: Backbone, folder: Path) -> float:
    """Convert the backbone and measure its speed unless that has been done, and return the pictures per second.

    Raise whatever `load_engine` raises.
    """
    path = converted_path(backbone, folder)
    if not backbone.needs_tensorflow:
        return ensure_speed(ensure_tflite(backbone, folder), lambda: load_engine(backbone, folder))
    known = read_speed(path)
    if known is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    engine = load_engine(backbone, folder)
    if not record_path(path).exists():
        write_atomically(record_path(path), json.dumps({"name": backbone.name, "digest": backbone.digest}) + "\n")
    return keep_speed(path, rate(engine))
