"""What is known of a custom backbone: its spec in `network.json`, and where its files are."""

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
from ml.settings import MLSettings

SPEC, GRAPH, LITE, CONVERTED = "network.json", "network.pb", "network.tflite", "converted.tflite"
MAX_INPUT_SIZE, MAX_FEATURES = 1024, 100_000
NAME = re.compile(r"net_[0-9a-f]{20}")
LITERT, TENSORFLOW = "litert", "tensorflow"


class Origin(StrEnum):
    """Where a backbone comes from, which says whether its files can be trusted."""

    BUNDLED = "bundled"  # its weights come with a package
    DOWNLOADED = "downloaded"  # its weights are fetched from their publisher, and checked
    UPLOADED = "uploaded"  # added by a user, to train with
    IMPORTED = "imported"  # a classifier that was trained elsewhere
    FINE_TUNED = "fine_tuned"  # made here from another


class BackboneMissing(Unavailable):
    """A custom backbone is not on this machine, or its files are not what they were."""


@dataclass(frozen=True)
class BackboneSpec:
    file: str  # GRAPH or LITE
    sha256: str  # of that file
    input_size: int  # pixels, square
    features: int  # numbers per picture
    engine: str  # LITERT, or TENSORFLOW where an operation cannot be converted
    # LITE only, as a graph does it inside: what goes in is pixel * scale + offset, what comes out is made a logarithm.
    scale: float = 1.0
    offset: float = 0.0
    logarithm: bool = False
    title: str = ""
    source: str = ""  # an address, or the name of the file
    licence: str = "see its source"
    origin: Origin = Origin.UPLOADED

    def __post_init__(self) -> None:
        """Raises ValueError for what `program` never writes."""
        known = self.file in (GRAPH, LITE) and self.engine in (LITERT, TENSORFLOW)
        fits = 8 <= self.input_size <= MAX_INPUT_SIZE and 1 <= self.features <= MAX_FEATURES
        if not (known and fits and re.fullmatch(r"[0-9a-f]{64}", self.sha256)):
            raise ValueError("This is not the description of a network.")

    @property
    def name(self) -> str:
        """Return the backbone's name: the same for the same network with the same title and source."""
        content = asdict(self)
        del content["origin"]  # names were given before there were origins
        return f"net_{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]}"

    def dump(self) -> str:
        """Return the spec as JSON, for `parse_spec`."""
        return json.dumps(asdict(self), sort_keys=True)


def parse_spec(text: str) -> BackboneSpec:
    """Return the spec that `dump` wrote; one without an origin is not trusted. Raises ValueError, TypeError."""
    values = json.loads(text)
    names = {field.name for field in fields(BackboneSpec)}
    if not isinstance(values, dict) or {*values, "origin"} != names:
        raise ValueError("This is not the description of a network.")
    return BackboneSpec(**{**values, "origin": Origin(values.get("origin", Origin.UPLOADED))})


def is_custom(name: str) -> bool:
    """Return whether a backbone of this name is a custom one."""
    return NAME.fullmatch(name) is not None


def custom_backbone_dir(name: str, settings: MLSettings) -> Path:
    """Return where the files of a custom backbone are on this machine, once they are."""
    return settings.weights_dir / "custom" / name


def read_spec(name: str, settings: MLSettings) -> BackboneSpec:
    """Read the spec of a custom backbone of this machine. Raises BackboneMissing."""
    try:
        return parse_spec((custom_backbone_dir(name, settings) / SPEC).read_text())
    except (OSError, ValueError, TypeError):
        raise BackboneMissing(f"The backbone {name} is not on this machine.") from None


@dataclass(frozen=True)
class BackboneFiles:
    """A custom backbone with its files, by name."""

    spec: BackboneSpec
    files: dict[str, bytes]


def write_backbone(spec: BackboneSpec, files: dict[str, bytes], settings: MLSettings) -> Path:
    """Write a custom backbone to its folder, whole or not at all; what is there already stays.

    Args:
        files: by their names.
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
        try:
            os.rename(aside, folder)  # not `open_atomically`: a folder does not replace another
        except OSError:
            if not folder.is_dir():  # another process was first: it is the same
                raise
    return folder


def describe_found(found: dict[str, Any], **about: Any) -> BackboneSpec:
    """Join what the confined program found out with what we know ourselves. Raises ValueError, TypeError."""
    names = {field.name for field in fields(BackboneSpec)} - {"origin"}  # whoever took that program over is not trusted
    return BackboneSpec(**{name: value for name, value in found.items() if name in names}, **about)
