"""Collect what an export is made of, and pass it as files to the process that builds it."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.backbones.backbone import Backbone
from ml.backbones.registry import get_backbone
from ml.exports.none_of_these import refuse
from ml.images import camera_raw, dicom, jpeg_ends, modes, rendering
from ml.images.rendering import Framing
from ml.settings import MLSettings
from ml.training.artifacts import describe_rejection, parse_rejection
from ml.training.head import Head
from ml.training.out_of_distribution import Detector
from ml.training.rejection import NOTHING_REFUSED, Rejection

_FACTS, _HEAD, _DETECTOR, _CALIBRATION = "parts.json", "head.npz", "detector.npz", "calibration.npy"
README, RUNNER, METADATA = "README.md", "model.py", "metadata.json"
TEMPLATES = Path(__file__).parent / "templates"
SHARED = TEMPLATES / "shared"  # the program of every format, but for what runs the model
# How the site reads pictures; programs take the files as they are.
READING = tuple(Path(str(module.__file__)) for module in (camera_raw, dicom, jpeg_ends, modes, rendering))
_RESIZE = {
    Framing.WHOLE: "Squeeze the whole upright picture to {size} x {size} with antialiased bilinear resizing.",
    Framing.CENTRE: "Crop the square in the middle of the upright picture, and resize it to {size} x {size} with "
    "antialiased bilinear resizing.",
    Framing.UNSMOOTHED: "Squeeze the whole upright picture to {size} x {size} with bilinear resizing without "
    "antialiasing.",
}
NO_PICTURES: NDArray[np.uint8] = np.empty((0, 0, 0, 3), np.uint8)


@dataclass(frozen=True)
class Parts:
    """Everything that an export is made of.

    Attributes:
        title: the project's title, for the README.
        version: the number of the model version.
        backbone: the backbone that computes the features.
        head: the trained last layer.
        labels: the names of the classes, in the order of the head's outputs.
        rejection: when it says “none of these”.
        calibration: training pictures, uint8 (K, S, S, 3), for formats that measure the range of their numbers on them.
    """

    title: str
    version: int
    backbone: Backbone
    head: Head
    labels: list[str]
    rejection: Rejection = NOTHING_REFUSED
    calibration: NDArray[np.uint8] = field(default_factory=lambda: NO_PICTURES)

    def write(self, folder: Path) -> None:
        """Write the parts to a folder, for `read`."""
        facts = {
            "title": self.title,
            "version": self.version,
            "backbone": self.backbone.name,
            "labels": self.labels,
            "settings": self.backbone.machine.dump(),
            "none_of_these": describe_rejection(self.rejection),
        }
        (folder / _FACTS).write_text(json.dumps(facts))
        np.savez(folder / _HEAD, weights=self.head.weights, bias=self.head.bias)
        if self.rejection.detector is not None:
            detector = self.rejection.detector
            np.savez(folder / _DETECTOR, exemplars=detector.exemplars, steps=detector.steps)
        np.save(folder / _CALIBRATION, self.calibration)

    @classmethod
    def read(cls, folder: Path) -> "Parts":
        """Read the parts that `write` wrote."""
        facts = json.loads((folder / _FACTS).read_text())
        with np.load(folder / _HEAD, allow_pickle=False) as arrays:
            head = Head(arrays["weights"], arrays["bias"])
        backbone = get_backbone(facts["backbone"], MLSettings.parse(facts["settings"]))
        calibration = np.load(folder / _CALIBRATION, allow_pickle=False)
        detector = None
        if (folder / _DETECTOR).exists():
            with np.load(folder / _DETECTOR, allow_pickle=False) as arrays:
                least = facts["none_of_these"]["least_likeness"]
                detector = Detector(arrays["exemplars"], arrays["steps"], least)
        rejection = parse_rejection(facts["none_of_these"], detector)
        return cls(facts["title"], facts["version"], backbone, head, facts["labels"], rejection, calibration)

    def build_classifier(self) -> Any:
        """Build the keras.Model: float32 RGB 0..255 (N, S, S, 3) -> probabilities (N, C). Import TensorFlow."""
        return self.build_classifiers()[0]

    def build_classifiers(self) -> tuple[Any, Any | None]:
        """Build the keras.Model of `build_classifier` and, of the same layers, one that refuses.

        The second gives [probabilities (N, C), bool (N,), whether it is none of these]; None if it never is. Import
        TensorFlow.
        """
        import keras

        network = self.backbone.build_network()
        dense = keras.layers.Dense(len(self.labels), activation="softmax", name="final_result")
        probabilities = dense(network.output)
        dense.set_weights([self.head.weights, self.head.bias])
        refused = refuse(network.output, probabilities, self.rejection)
        full = None if refused is None else keras.Model(network.input, [probabilities, refused])
        return keras.Model(network.input, probabilities), full

    def write_texts(
        self, folder: Path, exporter: str, *, labels_file: str = "labels.txt", dtype: str = "float32"
    ) -> None:
        """Write what lies beside the model: labels, README, metadata, and the program with the site's picture rules.

        Args:
            exporter: the name of the format's module, and of its folder of templates.
            dtype: the type of the pictures' values.
        """
        (folder / labels_file).write_text(one_line_labels(self.labels), encoding="utf-8")
        readme = Template((TEMPLATES / exporter / README).read_text(encoding="utf-8")).substitute(
            title=" ".join(self.title.split()),
            version=self.version,
            size=self.backbone.input_size,
            classes=len(self.labels),
            dtype=dtype,
            resize=self._resize,
        )
        (folder / README).write_text(readme, encoding="utf-8")
        described = json.dumps(self.describe(dtype), ensure_ascii=False, indent=1)
        (folder / METADATA).write_text(described + "\n", encoding="utf-8")
        shutil.copytree(SHARED, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(TEMPLATES / exporter / RUNNER, folder / RUNNER)
        for source in READING:
            shutil.copyfile(source, folder / "pictures" / source.name)

    @property
    def _resize(self) -> str:
        return _RESIZE[self.backbone.framing].format(size=self.backbone.input_size)

    def describe(self, dtype: str) -> dict[str, Any]:
        """Return a description of the file's input and output for programs, as plain data."""
        size = self.backbone.input_size
        return {
            "version": self.version,
            "labels": self.labels,
            "input": {"shape": [None, size, size, 3], "colours": "RGB", "range": [0, 255], "dtype": dtype},
            "framing": str(self.backbone.framing),
            "resize": self._resize,
            "output": {"shape": [None, len(self.labels)], "dtype": "float32", "meaning": "probabilities"},
            "none_of_these": {
                **describe_rejection(self.rejection),
                "meaning": "a picture is none of the classes if its likeness to the training pictures is less than "
                "least_likeness, if the probability of its class is less than least_probabilities, or if its class is "
                "one of other_classes; null: never",
            },
            "backbone": {"name": self.backbone.name, "licence": self.backbone.licence},
        }


def one_line_labels(labels: list[str]) -> str:
    """Return the content of labels.txt: one label per line, in the order of the outputs, with line breaks as spaces."""
    return "".join(" ".join(label.split()) + "\n" for label in labels)
