"""Have a stranger's file opened by the confined process, and take over what it found."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from worker.child import ChildFailed, run_child
from worker.confine import Limits, bare_environment, confined
from worker.networks.fetching import ALLOW_PRIVATE, host_of, kind_of
from worker.networks.program import FOUND, REFUSED, Request, dump_request
from worker.networks.sources import LARGEST, MOST_LABELS, SourceRefused
from worker.networks.spec import CONVERTED, NetworkSpec, describe_found

SECONDS = 600.0
FETCH_SECONDS = 3600.0
PROGRAM = "worker.networks.program"


@dataclass(frozen=True)
class OpenedNetwork:
    spec: NetworkSpec
    files: dict[str, bytes]  # by name
    labels: list[str]
    why_not_litert: str  # empty where LiteRT runs it


def fetch(address: str, folder: Path, *, alive: Callable[[], None], report: Callable[[int], None]) -> Path:
    """What an address names, in `folder`: a file, or a folder with a SavedModel. report(bytes so far).

    Raises SourceRefused.
    """
    from worker.networks.fetching import FILE

    out = folder / "fetched"
    out.mkdir()

    def watch() -> None:
        alive()
        size = sum(path.stat().st_size for path in list(out.rglob("*")) if path.is_file())
        if size > LARGEST:
            raise SourceRefused(
                f"What comes from {host_of(address)} is larger than {LARGEST >> 30} GB and was stopped."
            )
        report(size)

    kind = kind_of(address)
    _run(["fetch", address, str(out)], folder, FETCH_SECONDS, watch, lambda line: None, limits=Limits(online=True))
    return out / "file" if kind == FILE else out


def open_network(
    path: Path,
    folder: Path,
    request: Request,
    *,
    title: str,
    source: str,
    licence: str = "",
    alive: Callable[[], None] = lambda: None,
    said: Callable[[str], None] = lambda step: None,
) -> OpenedNetwork:
    """Open the file, or the folder, at `path`. `folder` is empty scratch space; `said` names each step: look, probe,
    convert. Raises SourceRefused.
    """
    out, asked = folder / "out", folder / "request.json"
    out.mkdir()
    asked.write_text(dump_request(request))
    _run(["open", str(path), str(out), str(asked)], folder, SECONDS, alive, said, limits=Limits(reads=(str(path),)))
    try:
        found = json.loads((out / FOUND).read_text())
        spec = describe_found(found, title=title, source=source, licence=licence or "see its source")
        labels = _checked_labels(found)
        files = {spec.file: (out / spec.file).read_bytes()}
        if (out / CONVERTED).is_file():
            files[CONVERTED] = (out / CONVERTED).read_bytes()
    except (OSError, ValueError, TypeError, KeyError):  # whoever took that process over wrote something else
        raise SourceRefused("The file could not be opened.") from None
    return OpenedNetwork(spec, files, labels, str(found.get("why", ""))[:300])


def _checked_labels(found: dict[str, Any]) -> list[str]:
    labels = found["labels"]
    if not isinstance(labels, list) or len(labels) > MOST_LABELS or not all(isinstance(one, str) for one in labels):
        raise ValueError("labels")
    if not all(math.isfinite(found.get(name, 0.0)) for name in ("scale", "offset")):
        raise ValueError("scaling")
    return labels


def _run(
    arguments: list[str],
    folder: Path,
    seconds: float,
    alive: Callable[[], None],
    said: Callable[[str], None],
    *,
    limits: Limits,
) -> None:
    environment = bare_environment(folder)
    if limits.online:
        environment |= {name: os.environ[name] for name in _FOR_THE_WEB if name in os.environ}
    try:
        run_child(
            *confined(PROGRAM, arguments, replace(limits, writes=(str(folder),))),
            folder=folder,
            environment=environment,
            seconds=seconds,
            alive=alive,
            said=lambda line: said(line.strip()) if line.strip() in ("look", "probe", "convert") else None,
        )
    except ChildFailed as error:
        if error.status == REFUSED:
            raise SourceRefused(error.last_line[:500]) from None
        if error.status is None:
            raise SourceRefused(f"It was not opened within {seconds / 60:.0f} minutes, so it was stopped.") from None
        raise SourceRefused(
            f"The file made the program that opened it end (status {error.status}). It is damaged, too large for this "
            "machine's memory, or not what it seems."
        ) from None


_FOR_THE_WEB = (
    ALLOW_PRIVATE,
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
)
