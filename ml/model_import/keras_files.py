"""Open the files of Keras and TensorFlow.js: .keras, .h5, and model.json with its weights. Import TensorFlow.

Such a file says which classes to instantiate; those that contain programs or read files are refused by name before
anything is made. Files of the older Keras, including Teachable Machine's, are read by the older Keras (tf_keras).
"""

import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ml.errors import ImportRefused, first_line
from ml.model_import.graphs import Opened
from ml.model_import.sources import MAX_MODEL_BYTES
from ml.sandbox.screening import HostileGraph

# Layers that run Python or another library, or read files named in their settings.
_DENIED = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "StringLookup", "IntegerLookup")
_DENIED_TOO = ("TextVectorization", "IndexLookup", "Hashing", "HashedCrossing", "CategoryEncoding")
_CONTAINERS = {
    "Sequential",
    "Functional",
    "Model",
    "DTypePolicy",
    "Policy",
    "__tensor__",
    "__numpy__",
    "__keras_tensor__",
}
_JSON_BYTES = 2**26


def open_keras_file(path: Path) -> Opened:
    """Open a .keras or .h5 file. Raise `ImportRefused` if it cannot be used, `HostileGraph` if it is not harmless."""
    return _opened(_load_zip(path) if zipfile.is_zipfile(path) else _load_h5(path))


def open_tensorflow_js(folder: Path) -> Opened:
    """Open a folder with a model.json of the kind “layers-model”.

    Raise `ImportRefused` if it cannot be used, `HostileGraph` if it is not harmless.
    """
    import tf_keras

    described = _read_json((folder / "model.json").read_bytes())
    topology = described.get("modelTopology")
    topology = topology.get("model_config", topology) if isinstance(topology, dict) else None
    if not isinstance(topology, dict) or "class_name" not in topology:
        raise ImportRefused("Its model.json does not describe a network of layers.")
    _check_classes(topology, tf_keras)
    try:
        network = tf_keras.models.model_from_json(json.dumps(topology))
        _give_weights(network, _read_weights(folder, described))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ImportRefused(f"Keras cannot load this file: {first_line(error)}") from None
    return _opened(network)


def _load_zip(path: Path) -> Any:
    import keras

    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _JSON_BYTES:
                raise ImportRefused("Its config.json is too large.")
            _check_classes(_read_json(archive.read("config.json")), keras)
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, AttributeError) as error:
        raise ImportRefused(f"Keras cannot load this file: {first_line(error)}") from None


def _load_h5(path: Path) -> Any:
    import h5py
    import tf_keras

    try:
        with h5py.File(path) as file:
            config = file.attrs.get("model_config")
        if config is None:
            raise ImportRefused("The file contains only weights, not the network they belong to.")
        _check_classes(_read_json(config.encode() if isinstance(config, str) else bytes(config)), tf_keras)
        return tf_keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError, AttributeError) as error:
        raise ImportRefused(f"Keras cannot load this file: {first_line(error)}") from None


def _read_json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ImportRefused("The description of the network in it is damaged.")
    return found


def _check_classes(config: dict[str, Any], library: Any) -> None:
    """Raise `HostileGraph` for a class that is not one of the library's harmless ones."""
    kinds = (library.layers, library.initializers, library.regularizers, library.constraints, library.activations)
    known = _CONTAINERS | {name for kind in kinds for name, value in vars(kind).items() if callable(value)}
    known -= {*_DENIED, *_DENIED_TOO}
    for name in _classes_in(config):
        if name not in known:
            raise HostileGraph(
                f"It contains the layer or function {str(name)[:80]!r}, which may contain a program or read files. "
                "Save it as a SavedModel without it."
            )


def _classes_in(config: Any) -> Iterator[Any]:
    """Yield the class name of each part of the config, and its module if that is not Keras'."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "class_name" in part:
                yield part["class_name"]
                module = part.get("module")
                if module is not None and not (
                    isinstance(module, str) and module.split(".")[0] in ("keras", "builtins")
                ):
                    yield module
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _read_weights(folder: Path, described: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays by name, in the order of the manifest."""
    found = {}
    for group in described["weightsManifest"]:
        paths = [folder / str(name) for name in group["paths"]]
        if any(path.parent != folder or not path.is_file() for path in paths):
            raise ImportRefused("Weight files are missing next to model.json.")
        if sum(path.stat().st_size for path in paths) > MAX_MODEL_BYTES:
            raise ImportRefused("Its weights are too large.")
        data, at = b"".join(path.read_bytes() for path in paths), 0
        for entry in group["weights"]:
            if entry.get("dtype") != "float32" or "quantization" in entry:
                raise ImportRefused("Its weights are quantised. Export it without quantisation.")
            count = math.prod(entry["shape"])
            found[str(entry["name"])] = np.frombuffer(data, "<f4", count, at).reshape(entry["shape"])
            at += 4 * count
    return found


def _give_weights(network: Any, arrays: dict[str, Any]) -> None:
    """Set the weights by name, or in their order if the names differ. Raise `ValueError` if they do not fit."""
    names = [variable.name.split(":")[0] for variable in network.weights]
    chosen = [arrays[name] for name in names] if set(names) <= set(arrays) else list(arrays.values())
    network.set_weights(chosen)


def _opened(network: Any) -> Opened:
    shape = network.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3 or not shape[1] or shape[1] != shape[2]:
        raise ImportRefused(
            f"Its input has the shape {shape}; it must take square pictures with three colour channels."
        )
    return Opened(lambda pictures: network(pictures, training=False), int(shape[1]), None, network)
