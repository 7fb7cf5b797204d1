"""The manifest of a project's file: what belongs to it, and from which program it is."""

import json
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from classifier.services.portable.checks import find_newer_program
from ml.errors import Conflict
from poetsweb.version import VERSION

FORMAT, FORMAT_VERSION = "poetsweb-project", 1  # 1: the first
NAME = "manifest.json"
MAX_BYTES = 32 * 2**20
NO_PROJECT_FILE = "This is no project file, or not all of it: it was cut off, or is another kind of file."
PICTURES, FILES, ROWS = "pictures/", "files/", "rows/"  # how the names of entries begin


class ProjectFileRefused(Conflict):
    """The file cannot be written, or cannot be brought in. The message is a sentence for the operator."""


class Part(BaseModel, extra="forbid"):
    """An entry of the file; `rows` where it has lines of them."""

    sha256: str
    size: int
    rows: int = 0


class Manifest(BaseModel, extra="forbid"):
    """What `manifest.json` holds."""

    kind: Literal["poetsweb-project"] = "poetsweb-project"
    format: Literal[1] = 1
    program: str = VERSION
    made_at: datetime
    migrations: list[str] = Field(description="that had made the tables what they were")
    tables: dict[str, Part]
    files: dict[str, Part] = Field(description="by their path in the storage")
    pictures: int
    picture_bytes: int
    backbones: dict[str, str] = Field(description="{name: digest} of those that versions were trained on")


def parse_manifest(data: bytes) -> Manifest:
    """Return the manifest, if this program can bring in what it describes. Raise ProjectFileRefused."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        raise ProjectFileRefused(NO_PROJECT_FILE) from None
    if not isinstance(told, dict) or told.get("kind") != FORMAT:
        raise ProjectFileRefused(NO_PROJECT_FILE)
    if program := find_newer_program(told, FORMAT_VERSION):
        raise ProjectFileRefused(
            f"The file was written by the newer version {program} of PoetsWeb, and this is {VERSION}. "
            "Bring this site up to that version first."
        )
    try:
        return Manifest.model_validate(told)
    except ValidationError:
        raise ProjectFileRefused(f"The file is damaged: its {NAME} is not as it should be.") from None
