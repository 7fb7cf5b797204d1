"""The engine a backbone runs on, and getting it ready."""

import json
import os
from pathlib import Path

from worker.backbones.backbone import Backbone
from worker.backbones.convert import converted_path, ensure_tflite, record_path
from worker.backbones.engine import AS_IT_IS, Adapter, Embedder, LiteRTEngine
from worker.backbones.speed import ensure_speed, keep_speed, rate, read_speed
from worker.networks.engine import TensorFlowEngine
from worker.networks.spec import TENSORFLOW, network_folder


def needs_tensorflow(backbone: Backbone) -> bool:
    """Whether LiteRT cannot run it: then only workers can."""
    return backbone.network is not None and backbone.network.engine == TENSORFLOW


def load_engine(backbone: Backbone, folder: Path, *, threads: int = 1) -> Embedder:
    """An engine; `folder` holds converted backbones. Raises what `ensure_tflite` raises."""
    if needs_tensorflow(backbone):
        graph = network_folder(backbone.name) / "network.pb"
        return TensorFlowEngine(graph, input_size=backbone.input_size, features=backbone.features)
    path = ensure_tflite(backbone, folder)
    return LiteRTEngine(path, threads=threads, adapter=adapter_of(backbone))


def adapter_of(backbone: Backbone) -> Adapter:
    spec = backbone.network
    return Adapter(spec.scale, spec.offset, spec.logarithm) if spec is not None else AS_IT_IS


def ensure_ready(backbone: Backbone, folder: Path) -> float:
    """Convert and measure it, where that was not done yet: pictures a second. Raises what `load_engine` raises."""
    path = converted_path(backbone, folder)
    if not needs_tensorflow(backbone):
        return ensure_speed(ensure_tflite(backbone, folder), adapter_of(backbone))
    known = read_speed(path)
    if known is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    engine = load_engine(backbone, folder)
    if not record_path(path).exists():
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.write_text(json.dumps({"name": backbone.name, "digest": backbone.digest}) + "\n")
        os.replace(aside, record_path(path))
    return keep_speed(path, rate(engine))
