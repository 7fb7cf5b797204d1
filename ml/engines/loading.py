"""The engine a backbone runs on, and getting it ready."""

import json
from pathlib import Path

from ml.backbones.backbone import Backbone
from ml.backbones.spec import GRAPH, TENSORFLOW, custom_backbone_folder
from ml.engines.confined import ConfinedEngine, in_litert, in_tensorflow
from ml.engines.conversion import converted_path, ensure_tflite, record_path
from ml.engines.litert import Adapter, Embedder, LiteRTEngine
from ml.engines.speed import ensure_speed, keep_speed, rate, read_speed
from ml.files import write_atomically


def needs_tensorflow(backbone: Backbone) -> bool:
    """Whether LiteRT cannot run it: then only workers can."""
    return backbone.network is not None and backbone.network.engine == TENSORFLOW


def load_engine(backbone: Backbone, folder: Path, *, threads: int = 1) -> Embedder:
    """An engine; `folder` holds converted backbones. Raises what `ensure_tflite` raises."""
    network = backbone.network
    if network is None:
        return LiteRTEngine(ensure_tflite(backbone, folder), threads=threads)
    if needs_tensorflow(backbone):
        file, how = custom_backbone_folder(backbone.name) / GRAPH, in_tensorflow()
    else:
        adapter = Adapter(network.scale, network.offset, network.logarithm)
        file, how = ensure_tflite(backbone, folder), in_litert(threads, adapter)
    return ConfinedEngine(file, how, input_size=backbone.input_size, features=backbone.features)


def ensure_ready(backbone: Backbone, folder: Path) -> float:
    """Convert and measure it, where that was not done yet: pictures a second. Raises what `load_engine` raises."""
    path = converted_path(backbone, folder)
    if not needs_tensorflow(backbone):
        return ensure_speed(ensure_tflite(backbone, folder), lambda: load_engine(backbone, folder))
    known = read_speed(path)
    if known is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    engine = load_engine(backbone, folder)
    if not record_path(path).exists():
        write_atomically(record_path(path), json.dumps({"name": backbone.name, "digest": backbone.digest}) + "\n")
    return keep_speed(path, rate(engine))
