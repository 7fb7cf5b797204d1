"""What an export is made of, as files that a process of its own can read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from worker.backbones import Backbone, get_backbone
from worker.head import Head

_FACTS, _HEAD = "parts.json", "head.npz"


@dataclass(frozen=True)
class Parts:
    title: str  # of the project, for the README
    version: int
    backbone: Backbone
    head: Head
    labels: list[str]  # in the order of the head's outputs

    def write(self, folder: Path) -> None:
        facts = {
            "title": self.title,
            "version": self.version,
            "backbone": self.backbone.name,
            "labels": self.labels,
        }
        (folder / _FACTS).write_text(json.dumps(facts))
        np.savez(folder / _HEAD, weights=self.head.weights, bias=self.head.bias)

    @classmethod
    def read(cls, folder: Path) -> "Parts":
        facts = json.loads((folder / _FACTS).read_text())
        with np.load(folder / _HEAD, allow_pickle=False) as arrays:
            head = Head(arrays["weights"], arrays["bias"])
        return cls(facts["title"], facts["version"], get_backbone(facts["backbone"]), head, facts["labels"])

    def build_classifier(self) -> Any:
        """The keras.Model: float32 RGB 0..255 (N, S, S, 3) -> probabilities (N, C). Imports TensorFlow."""
        import keras

        network = self.backbone.build_network()
        dense = keras.layers.Dense(len(self.labels), activation="softmax", name="final_result")
        classifier = keras.Model(network.input, dense(network.output))
        dense.set_weights([self.head.weights, self.head.bias])
        return classifier


def one_line_labels(labels: list[str]) -> str:
    """labels.txt: a label a line, in the order of the outputs. A line break within a label becomes a space."""
    return "".join(" ".join(label.split()) + "\n" for label in labels)
