"""Remember what LiteRT needs to answer for a graph that was used before, so that TensorFlow need not be loaded again.

A graph is identified by its content. For one that `retrain` wrote, the cache holds the backbone's name and the head, a
few kilobytes; for others, the converted form. Everything in it can be made again and may be deleted at any time.
"""

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.backbones.backbone import Backbone
from ml.backbones.registry import get_backbone
from ml.errors import UserError
from ml.exports.layers import DEVIATION, INPUT_LAYER, MEAN
from ml.files import open_atomically
from ml.settings import MLSettings
from ml.training.head import Head


@dataclass(frozen=True)
class Layers:
    """The names of a graph's input and output that are used."""

    input: str
    output: str


@dataclass(frozen=True)
class KnownHead:
    """A graph that `retrain` wrote: pictures go through its backbone, features through its head."""

    backbone: Backbone
    head: Head


def graph_key(content: bytes, layers: Layers) -> str:
    """Return the key of a graph with the given input and output."""
    said = json.dumps([hashlib.sha256(content).hexdigest(), layers.input, layers.output])
    return hashlib.sha256(said.encode()).hexdigest()[:40]


def remember_head(content: bytes, output_layer: str, backbone: Backbone, head: Head) -> None:
    """Store the backbone and head of a graph that was just written."""
    path = _folder(backbone.machine) / f"{graph_key(content, Layers(INPUT_LAYER, output_layer))}.npz"
    with open_atomically(path) as file:
        np.savez(file, backbone=backbone.name, digest=backbone.digest, weights=head.weights, bias=head.bias)


def recall_head(
    content: bytes, layers: Layers, mean: float, deviation: float, settings: MLSettings
) -> KnownHead | None:
    """Return the stored backbone and head of a graph.

    Return None if they are not stored, if the backbone has changed, or if the normalisation is not the one of
    `retrain`.
    """
    path = _folder(settings) / f"{graph_key(content, layers)}.npz"
    if (mean, deviation) != (MEAN, DEVIATION) or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            name, digest = str(arrays["backbone"]), str(arrays["digest"])
            head = Head(arrays["weights"], arrays["bias"])
        backbone = get_backbone(name, settings)
        fits = backbone.digest == digest
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, UserError):
        return None
    return KnownHead(backbone, head) if fits else None


def converted_path(content: bytes, layers: Layers, settings: MLSettings) -> Path:
    """Return where the converted form of a graph is, once it is there."""
    return _folder(settings) / f"{graph_key(content, layers)}.tflite"


def _folder(settings: MLSettings) -> Path:
    return settings.backbones_dir / "seen"
