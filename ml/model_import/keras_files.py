"""Open the files of Keras and TensorFlow.js: .keras, .h5, and model.json with its weights. Import TensorFlow.

Files of the older Keras, including Teachable Machine's, are read by the older Keras (tf_keras). Only the network itself
is looked at and loaded, not its optimizer or loss. What it names is checked first (`keras_config`).
"""

import json
import math
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ml.errors import ImportRefused, first_line
from ml.model_import.graphs import Opened
from ml.model_import.keras_config import check_classes, read_json, without_training
from ml.model_import.sources import MAX_MODEL_BYTES
from ml.sandbox.screening import HostileGraph

_COMPLAINTS = (
    zipfile.BadZipFile,
    KeyError,
    ValueError,
    TypeError,
    OSError,
    AttributeError,
    IndexError,
    RecursionError,
)
_CONFIG = "config.json"
_CONFIG_BYTES = 2**26


def open_keras_file(path: Path, scratch: Path) -> Opened:
    """Open a .keras or .h5 file, whatever it is called, with the folder `scratch` for copies.

    Raise `ImportRefused` if it cannot be used, `HostileGraph` if it is not harmless.
    """
    return _opened(_load_zip(path, scratch) if zipfile.is_zipfile(path) else _load_h5(path, scratch))


def open_tensorflow_js(folder: Path) -> Opened:
    """Open a folder with a model.json of the kind “layers-model”.

    Raise `ImportRefused` if it cannot be used, `HostileGraph` if it is not harmless.
    """
    import tf_keras

    described = read_json((folder / "model.json").read_bytes())
    topology = described.get("modelTopology")
    topology = topology.get("model_config", topology) if isinstance(topology, dict) else None
    if not isinstance(topology, dict) or "class_name" not in topology:
        raise ImportRefused("Its model.json does not describe a network of layers.")
    check_classes(topology, tf_keras)
    try:
        network = tf_keras.models.model_from_json(json.dumps(topology))
        _give_weights(network, _read_weights(folder, described))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ImportRefused(f"Keras cannot load this file: {first_line(error)}") from None
    return _opened(network)


def _load_zip(path: Path, scratch: Path) -> Any:
    import keras

    copy = scratch / "network.keras"  # Keras goes by the ending
    try:
        _copy_network(path, copy, keras)
        return keras.models.load_model(copy, compile=False, safe_mode=True)
    except _COMPLAINTS as error:
        raise ImportRefused(f"Keras cannot load this file: {first_line(error)}") from None


def _copy_network(path: Path, copy: Path, library: Any) -> None:
    """Copy a .keras file without how it was trained, after checking what the description of the network names."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as target:
        if sum(info.file_size for info in archive.infolist()) > MAX_MODEL_BYTES:
            raise ImportRefused("The network is too large.")
        if archive.getinfo(_CONFIG).file_size > _CONFIG_BYTES:
            raise ImportRefused("Its config.json is too large.")
        config = without_training(read_json(archive.read(_CONFIG)))
        check_classes(config, library)
        target.writestr(_CONFIG, json.dumps(config))
        for name in set(archive.namelist()) - {_CONFIG}:
            with archive.open(name) as source, target.open(name, "w", force_zip64=True) as file:
                shutil.copyfileobj(source, file)


def _load_h5(path: Path, scratch: Path) -> Any:
    import h5py
    import keras
    import tf_keras

    copy = scratch / "network.h5"
    try:
        with h5py.File(path) as file:
            config, version = (_text_of(file.attrs.get(name)) for name in ("model_config", "keras_version"))
        if config is None:
            raise ImportRefused("The file contains only weights, not the network they belong to.")
        network = read_json(config.encode())
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = json.dumps(without_training(network))
    except _COMPLAINTS as error:
        raise ImportRefused(f"Keras cannot load this file: {first_line(error)}") from None
    # Neither reads all files of the other, and a file without a version is older than both.
    libraries = [tf_keras, keras] if (version or "1").startswith(("1", "2")) else [keras, tf_keras]
    return _load_with_either(libraries, copy, without_training(network))


def _load_with_either(libraries: list[Any], path: Path, config: dict[str, Any]) -> Any:
    """Load a .h5 file with the first of two Kerases that can.

    Raise what the first has against it: `HostileGraph` or `ImportRefused`.
    """
    complaints: list[HostileGraph | ImportRefused] = []
    for library in libraries:
        try:
            check_classes(config, library)
            return library.models.load_model(path, compile=False)
        except HostileGraph as error:
            complaints.append(error)
        except _COMPLAINTS as error:
            complaints.append(ImportRefused(f"Keras cannot load this file: {first_line(error)}"))
    raise complaints[0]


def _text_of(value: Any) -> str | None:
    """Return an attribute of a .h5 file as text; h5py gives what older programs wrote as bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else None if value is None else str(value)


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
