"""Implement `--tfhub_module`: use an address of TF Hub, or a local file or folder, as a backbone; open it only once."""

import hashlib
import json
import tempfile
from pathlib import Path

from ml.backbones.backbone import Backbone
from ml.backbones.registry import get_backbone
from ml.backbones.spec import write_backbone
from ml.cli.console import Console
from ml.errors import UserError
from ml.files import write_atomically
from ml.model_import.opening import fetch, open_network
from ml.model_import.program import Request
from ml.settings import MLSettings


def find_module(handle: str, settings: MLSettings, console: Console) -> Backbone:
    """Return the backbone that the handle names, fetching and opening it if necessary. Raise `ImportRefused`."""
    known = _record_of(handle, settings)
    try:
        return get_backbone(json.loads(known.read_text())["name"], settings)
    except (OSError, ValueError, KeyError, UserError):
        return _open(handle, known, settings, console)


def _record_of(handle: str, settings: MLSettings) -> Path:
    """Return where the name of the network is stored.

    A module of TF Hub never changes, but a local file may, so its size and modification time are part of the key.
    """
    path = Path(handle)
    parts = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
    seen = [handle, *(f"{part.stat().st_size} {part.stat().st_mtime_ns}" for part in parts)]
    key = hashlib.sha256("\n".join(seen).encode()).hexdigest()
    return settings.weights_dir / "custom" / "handles" / f"{key}.json"


def _open(handle: str, known: Path, settings: MLSettings, console: Console) -> Backbone:
    known.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=known.parent, prefix=".module-") as name:
        folder = Path(name)
        path = Path(handle)
        if not path.exists():
            path = _fetch(handle, folder, settings, console)
        console.say("Opening the module (only once) …")
        opened = open_network(
            path.resolve(),
            folder,
            Request(),
            title=handle[-100:],
            source=handle[:300],
            unconfined=settings.unconfined_networks,
        )
    if opened.litert_refusal:
        console.warn(
            f"LiteRT cannot run this module: {opened.litert_refusal}. TensorFlow runs it instead, which takes longer."
        )
    write_backbone(opened.spec, opened.files, settings)
    write_atomically(known, json.dumps({"name": opened.spec.name, "handle": handle}))
    return get_backbone(opened.spec.name, settings)


def _fetch(handle: str, folder: Path, settings: MLSettings, console: Console) -> Path:
    return fetch(
        handle,
        folder,
        allow_private=True,  # whoever types an address on this machine can reach it anyway
        alive=lambda: None,
        report=lambda received: console.progress("Downloaded MB", received >> 20, max(received >> 20, 1)),
        unconfined=settings.unconfined_networks,
    )
