"""What is known of a network once it was opened: `network.json`, and where it lies."""

import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ml.errors import Unavailable
from ml.places import weights_folder

SPEC, GRAPH, LITE, CONVERTED = "network.json", "network.pb", "network.tflite", "converted.tflite"
LARGEST_INPUT, MOST_FEATURES = 1024, 100_000
NAME = re.compile(r"net_[0-9a-f]{20}")
LITERT, TENSORFLOW = "litert", "tensorflow"


class BackboneMissing(Unavailable):
    """The network is not on this machine, or its files are not what they were. The message is a sentence."""


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

    def __post_init__(self) -> None:
        """Raises ValueError for what `program` never writes."""
        known = self.file in (GRAPH, LITE) and self.engine in (LITERT, TENSORFLOW)
        fits = 8 <= self.input_size <= LARGEST_INPUT and 1 <= self.features <= MOST_FEATURES
        if not (known and fits and re.fullmatch(r"[0-9a-f]{64}", self.sha256)):
            raise ValueError("This is not the description of a network.")

    @property
    def name(self) -> str:
        """The same for the same network with the same title and source."""
        return f"net_{hashlib.sha256(self.dump().encode()).hexdigest()[:20]}"

    def dump(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


def parse_spec(text: str) -> BackboneSpec:
    """Raises ValueError, TypeError."""
    values = json.loads(text)
    if not isinstance(values, dict) or set(values) != {field.name for field in fields(BackboneSpec)}:
        raise ValueError("This is not the description of a network.")
    return BackboneSpec(**values)


def is_custom(name: str) -> bool:
    return NAME.fullmatch(name) is not None


def custom_backbone_folder(name: str) -> Path:
    """Where the network of that name lies, once it does."""
    return weights_folder() / "networks" / name


def read_spec(name: str) -> BackboneSpec:
    """Raises BackboneMissing."""
    try:
        return parse_spec((custom_backbone_folder(name) / SPEC).read_text())
    except (OSError, ValueError, TypeError):
        raise BackboneMissing(f"The network {name} is not on this machine.") from None


def write_backbone(spec: BackboneSpec, files: dict[str, bytes]) -> Path:
    """Write a network to its folder, whole or not at all; what is there already stays. `files` by their names."""
    folder = custom_backbone_folder(spec.name)
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
    """What `program` found out, with what people are told. Raises ValueError, TypeError."""
    names = {field.name for field in fields(BackboneSpec)}
    return BackboneSpec(**{name: value for name, value in found.items() if name in names}, **about)
