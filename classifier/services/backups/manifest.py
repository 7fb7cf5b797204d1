"""The manifest of a backup: what belongs to it, and from which program it is."""

import json
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from classifier.services.portable.checks import find_newer_program, hash_file
from ml.errors import Conflict
from ml.files import write_atomically
from poetsweb.version import VERSION

FORMAT_VERSION = 1
NAME = "manifest.json"
MAX_BYTES = 10 * 2**20


class BackupRefused(Conflict):
    """The backup cannot be made or restored. The message is a sentence for the operator."""


class Manifest(BaseModel, extra="forbid"):
    """What `manifest.json` holds."""

    format: Literal[1] = 1
    program: str = VERSION
    made_at: datetime
    migrations: list[str]
    rows: dict[str, int]  # by table
    files: int
    files_are_here: bool  # otherwise they are only listed
    deleted: list[str] = Field([], description="sha256s of pictures that were deleted for good meanwhile")
    sha256: dict[str, str] = Field(description="of every other file but those in files/, which files.jsonl has")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Declare the backup whole."""
    unused = None if manifest.deleted else {"deleted"}  # which programs before this field would not know
    write_atomically(folder / NAME, manifest.model_dump_json(indent=1, exclude=unused).encode(), mode=0o600)


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest, and that this program can restore it. Raise BackupRefused."""
    path = folder / NAME
    if not path.is_file():
        raise BackupRefused(f"{folder} holds no whole backup: it has no {NAME}. If it was interrupted, make it again.")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES)
    _refuse_newer(data)
    try:
        return Manifest.model_validate_json(data)
    except ValidationError:
        raise BackupRefused(f"{path} is damaged.") from None


def _refuse_newer(data: bytes) -> None:
    try:
        program = find_newer_program(json.loads(data), FORMAT_VERSION)
    except ValueError:
        return
    if program:
        raise BackupRefused(
            f"The backup is of the newer version {program} of PoetsWeb, and this is {VERSION}. "
            "Restore it with that version."
        )


def check_parts(folder: Path, manifest: Manifest) -> None:
    """Check that what the manifest names is there and unchanged. Raise BackupRefused."""
    for name, sha256 in manifest.sha256.items():
        path = folder / name
        if ".." in Path(name).parts or not path.is_file() or hash_file(path) != sha256:
            raise BackupRefused(f"The backup is damaged: {name} is missing, or is not what the manifest says.")
