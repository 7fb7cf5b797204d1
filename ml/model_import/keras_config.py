"""Read and check how Keras describes a network: which classes a file names, without making any of them.

Keras writes a description as JSON into each of its files: classes by name, with their settings. Those that contain
programs or read files are refused by name before anything is made.
"""

import json
from collections.abc import Iterator
from typing import Any

from ml.errors import ImportRefused
from ml.sandbox.screening import HostileGraph

# Layers that run Python or another library, or read files named in their settings.
_DENIED = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "StringLookup", "IntegerLookup"}
_DENIED |= {"TextVectorization", "IndexLookup", "Hashing", "HashedCrossing", "CategoryEncoding"}
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
# Plain arithmetic between layers, such as `x / 127.5 - 1`, is stored as operations of these modules by Keras 3.
_OPERATIONS = ("numpy", "nn", "math", "image")
_TRAINING = "compile_config"  # optimizer, loss and metrics, beside the network or one of its parts


def read_json(data: bytes) -> dict[str, Any]:
    """Return the JSON object in a file. Raise `ImportRefused` if it is damaged."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ImportRefused("The description of the network in it is damaged.")
    return found


def without_training(config: Any) -> Any:
    """Return the description of the network alone, without how it or a part of it was trained."""
    if isinstance(config, dict):
        return {name: without_training(value) for name, value in config.items() if name != _TRAINING}
    return [without_training(one) for one in config] if isinstance(config, list) else config


def check_classes(config: dict[str, Any], library: Any) -> None:
    """Raise `HostileGraph` for a class that is not one of the harmless ones of `library`: keras or tf_keras."""
    kinds = (library.layers, library.initializers, library.regularizers, library.constraints, library.activations)
    known = {name for kind in kinds for name, value in vars(kind).items() if callable(value)}
    known = (known | _CONTAINERS | _operations(library)) - _DENIED
    for name in _classes_in(config):
        if name not in known:
            raise HostileGraph(
                f"It contains the layer or function {str(name)[:80]!r}, which may contain a program or read files. "
                "Save it as a SavedModel without it."
            )


def _operations(library: Any) -> set[str]:
    """Return the names of the operations that Keras 3 knows; the older Keras has none."""
    operation = getattr(library, "Operation", None)
    if operation is None:
        return set()
    modules = [getattr(library.src.ops, name) for name in _OPERATIONS]
    classes = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return {one.__name__ for one in classes if issubclass(one, operation)}


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
                    isinstance(module, str) and module.split(".")[0] in ("keras", "tf_keras", "builtins")
                ):
                    yield module
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
