"""What an export is made of, as files that a process of its own can read."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.backbones.backbone import Backbone
from ml.backbones.registry import get_backbone
from ml.training.head import Head

_FACTS, _HEAD, _CALIBRATION = "parts.json", "head.npz", "calibration.npy"
README, EXAMPLE = "README.md", "classify.py"
NO_PICTURES: NDArray[np.uint8] = np.empty((0, 0, 0, 3), np.uint8)


@dataclass(frozen=True)
class Parts:
    title: str  # of the project, for the README
    version: int
    backbone: Backbone
    head: Head
    labels: list[str]  # in the order of the head's outputs
    calibration: NDArray[np.uint8] = field(default_factory=lambda: NO_PICTURES)  # (K, S, S, 3), training pictures

    def write(self, folder: Path) -> None:
        facts = {
            "title": self.title,
            "version": self.version,
            "backbone": self.backbone.name,
            "labels": self.labels,
        }
        (folder / _FACTS).write_text(json.dumps(facts))
        np.savez(folder / _HEAD, weights=self.head.weights, bias=self.head.bias)
        np.save(folder / _CALIBRATION, self.calibration)

    @classmethod
    def read(cls, folder: Path) -> "Parts":
        facts = json.loads((folder / _FACTS).read_text())
        with np.load(folder / _HEAD, allow_pickle=False) as arrays:
            head = Head(arrays["weights"], arrays["bias"])
        backbone, calibration = get_backbone(facts["backbone"]), np.load(folder / _CALIBRATION, allow_pickle=False)
        return cls(facts["title"], facts["version"], backbone, head, facts["labels"], calibration)

    def build_classifier(self) -> Any:
        """The keras.Model: float32 RGB 0..255 (N, S, S, 3) -> probabilities (N, C). Imports TensorFlow."""
        import keras

        network = self.backbone.build_network()
        dense = keras.layers.Dense(len(self.labels), activation="softmax", name="final_result")
        classifier = keras.Model(network.input, dense(network.output))
        dense.set_weights([self.head.weights, self.head.bias])
        return classifier

    def write_texts(self, folder: Path, *, readme: str, code: str, labels_file: str = "labels.txt") -> None:
        """The files for people: labels, README and a program that runs.

        `readme` is a template with {title}, {version}, {size} and {classes}.
        """
        (folder / labels_file).write_text(one_line_labels(self.labels), encoding="utf-8")
        title, size = " ".join(self.title.split()), self.backbone.input_size
        text = readme.format(title=title, version=self.version, size=size, classes=len(self.labels))
        (folder / README).write_text(text, encoding="utf-8")
        (folder / EXAMPLE).write_text(code, encoding="utf-8")

    def describe(self) -> dict[str, Any]:
        """For programs: what a file wants and gives."""
        size = self.backbone.input_size
        return {
            "version": self.version,
            "labels": self.labels,
            "input": {"shape": [None, size, size, 3], "colours": "RGB", "range": [0, 255]},
            "resize": "the whole upright picture, bilinear with antialiasing",
            "output": {"shape": [None, len(self.labels)], "dtype": "float32", "meaning": "probabilities"},
            "backbone": {"name": self.backbone.name, "licence": self.backbone.licence},
        }


def one_line_labels(labels: list[str]) -> str:
    """labels.txt: a label a line, in the order of the outputs. A line break within a label becomes a space."""
    return "".join(" ".join(label.split()) + "\n" for label in labels)
