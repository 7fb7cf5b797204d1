"""Graphs that were seen before: what LiteRT needs to answer for them, so that TensorFlow need not be loaded again.

A graph is known by its content. For one that `retrain` wrote, its backbone's name and its head are kept, which is a few
kilobytes; for others the converted form. All of it can be made again and may be deleted at any time.
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
    """Which part of a graph is asked."""

    input: str
    output: str


@dataclass(frozen=True)
class KnownHead:
    """A graph that `retrain` wrote: pictures go through its backbone, features through its head."""

    backbone: Backbone
    head: Head


def graph_key(content: bytes, layers: Layers) -> str:
    said = json.dumps([hashlib.sha256(content).hexdigest(), layers.input, layers.output])
    return hashlib.sha256(said.encode()).hexdigest()[:40]


def remember_head(content: bytes, output_layer: str, backbone: Backbone, head: Head) -> None:
    """Of a graph that was just written."""
    path = _folder(backbone.machine) / f"{graph_key(content, Layers(INPUT_LAYER, output_layer))}.npz"
    with open_atomically(path) as file:
        np.savez(file, backbone=backbone.name, digest=backbone.digest, weights=head.weights, bias=head.bias)


def recall_head(
    content: bytes, layers: Layers, mean: float, deviation: float, settings: MLSettings
) -> KnownHead | None:
    """None where it is not known, its backbone has changed, or it is asked with other numbers than it was made for."""
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
    """Where the converted form of a graph is, once it is there."""
    return _folder(settings) / f"{graph_key(content, layers)}.tflite"


def _folder(settings: MLSettings) -> Path:
    return settings.backbones_dir / "seen"
