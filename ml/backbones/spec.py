"""Describe custom backbones: the spec, which is stored in `network.json`, and the location of the files."""

import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from ml.errors import Unavailable
from ml.files import sync_path
from ml.images.rendering import Framing
from ml.settings import MLSettings

SPEC, GRAPH, LITE, CONVERTED = "network.json", "network.pb", "network.tflite", "converted.tflite"
MAX_INPUT_SIZE, MAX_FEATURES = 1024, 100_000
MAX_RANGE_LENGTH = 40  # characters
NAME = re.compile(r"net_[0-9a-f]{20}")
LITERT, TENSORFLOW = "litert", "tensorflow"


class Origin(StrEnum):
    """The origin of a backbone, which decides whether its files can be trusted."""

    BUNDLED = "bundled"  # its weights come with a package
    DOWNLOADED = "downloaded"  # its weights are fetched from their publisher, and checked
    UPLOADED = "uploaded"  # added by a user, to train with
    IMPORTED = "imported"  # a classifier that was trained elsewhere
    FINE_TUNED = "fine_tuned"  # made here from another


class BackboneMissing(Unavailable):
    """A custom backbone is not on this machine, or its files have been changed."""


@dataclass(frozen=True)
class BackboneSpec:
    """Everything that is known about a custom backbone.

    Attributes:
        file: the name of the network's file: GRAPH, a frozen graph in our form, or LITE, a .tflite file.
        sha256: of that file.
        input_size: width and height of the pictures it takes (S), in pixels.
        features: how many numbers it computes for a picture (F).
        engine: LITERT, or TENSORFLOW if an operation cannot be converted.
        scale, offset: for LITE, the network takes pixel * scale + offset; a graph does that itself.
        logarithm: for LITE, the network gives probabilities, of which the logarithms are used as features.
        title: shown to people.
        source: the address, the file's name, or the backbone it was fine-tuned from.
        licence: a name, or where to look for it.
        origin: whether its files can be trusted.
        one_output: for LITE, the network gives one score for two classes (see `ml.engines.litert.Adapter`).
        range: what pixels from 0 to 255 become for the network, such as "-1..1"; empty for those older than this field.
        framing: how pictures are made square for it.
        converted_sha256: of the converted form that came with a GRAPH; empty for backbones older than this field.
    """

    file: str
    sha256: str
    input_size: int
    features: int
    engine: str
    scale: float = 1.0
    offset: float = 0.0
    logarithm: bool = False
    title: str = ""
    source: str = ""
    licence: str = "see its source"
    origin: Origin = Origin.UPLOADED
    one_output: bool = False
    converted_sha256: str = ""
    range: str = ""
    framing: Framing = Framing.WHOLE

    def __post_init__(self) -> None:
        """Raise `ValueError` for values that `ml.model_import.program` never writes."""
        known = self.file in (GRAPH, LITE) and self.engine in (LITERT, TENSORFLOW)
        fits = 8 <= self.input_size <= MAX_INPUT_SIZE and 1 <= self.features <= MAX_FEATURES
        told = isinstance(self.range, str) and len(self.range) <= MAX_RANGE_LENGTH
        if not (known and fits and told and re.fullmatch(r"[0-9a-f]{64}", self.sha256)):
            raise ValueError("This is not the description of a network.")

    @property
    def name(self) -> str:
        """Return the backbone's name, which is the same for the same network with the same title and source."""
        content = asdict(self)
        del content["origin"]  # names were given before there were origins
        for name, value in _LATER.items():  # nor have those that they do not concern got new names
            if content[name] == value:
                del content[name]
        return f"net_{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]}"

    def dump(self) -> str:
        """Return the spec as JSON, for `parse_spec`."""
        return json.dumps(asdict(self), sort_keys=True)


# Fields that older specs do not have, with what those mean.
_LATER: dict[str, Any] = {"one_output": False, "converted_sha256": "", "range": "", "framing": Framing.WHOLE}


def parse_spec(text: str) -> BackboneSpec:
    """Return the spec that `dump` wrote; without an origin it is not trusted. Raise `ValueError` or `TypeError`."""
    values = json.loads(text)
    names = {field.name for field in fields(BackboneSpec)}
    if not isinstance(values, dict) or {*_LATER, *values, "origin"} != names:
        raise ValueError("This is not the description of a network.")
    origin, framing = values.get("origin", Origin.UPLOADED), values.get("framing", Framing.WHOLE)
    return BackboneSpec(**{**values, "origin": Origin(origin), "framing": Framing(framing)})


def is_custom(name: str) -> bool:
    """Return whether a backbone of this name is a custom one."""
    return NAME.fullmatch(name) is not None


def custom_backbone_dir(name: str, settings: MLSettings) -> Path:
    """Return where the files of a custom backbone are on this machine, once they are there."""
    return settings.weights_dir / "custom" / name


def read_spec(name: str, settings: MLSettings) -> BackboneSpec:
    """Read the spec of a custom backbone. Raise `BackboneMissing` if it is not on this machine."""
    try:
        return parse_spec((custom_backbone_dir(name, settings) / SPEC).read_text())
    except (OSError, ValueError, TypeError):
        raise BackboneMissing(f"The backbone {name} is not on this machine.") from None


@dataclass(frozen=True)
class BackboneFiles:
    """A custom backbone with the contents of its files by name."""

    spec: BackboneSpec
    files: dict[str, bytes]


def write_backbone(spec: BackboneSpec, files: dict[str, bytes], settings: MLSettings) -> Path:
    """Write a custom backbone to its folder, completely or not at all, unless it is there already.

    Args:
        files: the contents by file name.
    """
    folder = custom_backbone_dir(spec.name, settings)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".network-") as holder:
        aside = Path(holder, "network")
        aside.mkdir()
        for name, data in {**files, SPEC: spec.dump().encode()}.items():
            (aside / name).write_bytes(data)
            sync_path(aside / name)
        sync_path(aside)
        try:
            os.rename(aside, folder)  # not `open_atomically`: a folder does not replace another
        except OSError:
            if not folder.is_dir():  # another process was first: it is the same
                raise
    return folder


def check_files(spec: BackboneSpec, files: dict[str, bytes]) -> None:
    """Raise `ValueError` unless these are the files that the spec describes, by their sha256."""
    expected = {spec.file: spec.sha256, CONVERTED: spec.converted_sha256}
    for name, data in files.items():
        if expected.get(name) and hashlib.sha256(data).hexdigest() != expected[name]:
            raise ValueError(f"The file {name} of {spec.title} has been changed.")


def describe_found(found: dict[str, Any], **about: Any) -> BackboneSpec:
    """Combine what the confined program found out with what we know ourselves, which counts.

    Raise `ValueError` or `TypeError` if that makes no valid spec.
    """
    names = {field.name for field in fields(BackboneSpec)} - {"origin"}  # whoever took that program over is not trusted
    known = {name: value for name, value in found.items() if name in names and name not in about}
    return BackboneSpec(**{**known, "framing": Framing(found.get("framing", Framing.WHOLE))}, **about)
