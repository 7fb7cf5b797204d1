"""Open a stranger's file in the confined process, and check and return what that found."""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ml.backbones.spec import CONVERTED, GRAPH, LITE, LITERT, BackboneFiles, Origin, describe_found
from ml.errors import ImportRefused
from ml.model_import.fetching import host_of, kind_of
from ml.model_import.program import FOUND, REFUSED, Request, dump_request
from ml.model_import.ranges import ASSUMED, REASONS, scaling_of
from ml.model_import.sources import MAX_CLASSES, MAX_FILES, MAX_LABELS, MAX_MODEL_BYTES
from ml.sandbox.child import ChildFailed, ChildKilled, run_child
from ml.sandbox.confine import Limits, bare_environment, confined, why_unconfined

SECONDS = 600.0
FETCH_SECONDS = 3600.0
NICE = 10  # a tenth of what trainings and answers get beside it: a stranger's network may compute for all its time
PROGRAM = "ml.model_import.program"


@dataclass(frozen=True)
class OpenedNetwork(BackboneFiles):
    """A network from a stranger's file, as a custom backbone with its files.

    Attributes:
        labels: the names of its classes, if the file has them.
        litert_refusal: why LiteRT cannot run it, or an empty string.
        range_reason: how its range was found out, one of REASONS.
    """

    labels: list[str]
    litert_refusal: str
    range_reason: str = ASSUMED


def fetch(
    address: str,
    folder: Path,
    *,
    allow_private: bool,
    alive: Callable[[], None],
    report: Callable[[int], None],
    unconfined: bool = False,
) -> Path:
    """Fetch what an address names into `folder`, and return the path of a file, or of a folder with a SavedModel.

    `alive` and report(bytes so far) are called as it goes; `unconfined` lets it run where the system cannot confine it.
    Raise `ImportRefused` if there is nothing that can be used.
    """
    from ml.model_import.fetching import FILE

    out = folder / "fetched"
    out.mkdir()

    def watch() -> None:
        alive()
        count, size = measure_folder(out)
        if size > MAX_MODEL_BYTES or count > MAX_FILES:
            raise ImportRefused(
                f"The download from {host_of(address)} is larger than {MAX_MODEL_BYTES >> 30} GB or has more than "
                f"{MAX_FILES:,} files, and was stopped."
            )
        report(size)

    kind = kind_of(address)
    certificates = tuple(os.environ[name] for name in _CERTIFICATES if name in os.environ)
    limits = Limits(reads=certificates, online=True, unconfined=unconfined)
    arguments = ["fetch", address, str(out), "private" if allow_private else "public"]
    surroundings = {"TFHUB_CACHE_DIR": str(out)}
    _run(arguments, folder, FETCH_SECONDS, watch, lambda line: None, limits=limits, surroundings=surroundings)
    return out / "file" if kind == FILE else out


def measure_folder(folder: Path) -> tuple[int, int]:
    """Return (files and folders, bytes) below a folder in which another process is working."""
    count = size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
            size += path.lstat().st_size
            count += 1
    return count, size


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
    unconfined: bool = False,
) -> OpenedNetwork:
    """Open the file, or the folder, at `path`, with the empty folder `folder` as scratch space.

    `said` is called with the name of each step: look, probe, convert; `unconfined` lets them run where the system
    cannot confine them. Raise `ImportRefused` if the network cannot be used.
    """
    out, asked = folder / "out", folder / "request.json"
    out.mkdir()
    asked.write_text(dump_request(request))
    limits = Limits(reads=(str(path),), nice=NICE, unconfined=unconfined)
    _run(["open", str(path), str(out), str(asked)], folder, SECONDS, alive, said, limits=limits)
    try:
        found = json.loads(_read_own(out / FOUND))
        origin = Origin.IMPORTED if request.classifier else Origin.UPLOADED
        about = {"title": title, "source": source, "licence": licence or "see its source", "origin": origin}
        files = _read_files(found["file"], out)
        spec = describe_found(found, **about, **_digests(found["file"], files))
        scaling_of(spec.range)  # it is shown, and computed with
        if (spec.file, spec.engine) == (GRAPH, LITERT) and CONVERTED not in files:
            raise ValueError("converted")
        labels = _checked_labels(found)
        if request.classifier and (spec.features != len(labels) or len(labels) > MAX_CLASSES):
            raise ValueError("classes")  # checked again, because the process may have been taken over
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
    ):  # a process that was taken over may have written anything
        raise ImportRefused("The file could not be opened.") from None
    reason = found.get("range_reason")
    return OpenedNetwork(spec, files, labels, str(found.get("why", ""))[:300], reason if reason in REASONS else ASSUMED)


def _read_files(name: str, out: Path) -> dict[str, bytes]:
    """Return the contents of the network's file and, if there is one, of its converted form."""
    if name not in (GRAPH, LITE):
        raise ValueError("file")
    files = {name: _read_own(out / name)}
    if name == GRAPH and (out / CONVERTED).is_file():
        files[CONVERTED] = _read_own(out / CONVERTED)
    return files


def _digests(name: str, files: dict[str, bytes]) -> dict[str, str]:
    """Return the sha256 of what is kept: the backbone is named after it, so it must not be what the process claims."""
    digests = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
    return {"sha256": digests[name], "converted_sha256": digests.get(CONVERTED, "")}


def _read_own(path: Path) -> bytes:
    """Read a file that the confined process wrote, without following a link to a file it may not read itself.

    Raise `OSError` or `ValueError` if it is no ordinary file of an acceptable size.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if os.fstat(file.fileno()).st_size > MAX_MODEL_BYTES:
            raise ValueError("too large")
        return file.read()


def _checked_labels(found: dict[str, Any]) -> list[str]:
    labels = found["labels"]
    if not isinstance(labels, list) or len(labels) > MAX_LABELS or not all(isinstance(one, str) for one in labels):
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
    surroundings: Mapping[str, str] = MappingProxyType({}),
) -> None:
    environment = {**bare_environment(folder), **surroundings}
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
    except ChildKilled:
        raise  # no fault of the file
    except ChildFailed as error:
        if error.status == REFUSED:
            raise ImportRefused(error.last_line[:500]) from None
        if reason := why_unconfined(error.status):
            raise ImportRefused(reason) from None
        if error.status is None:
            raise ImportRefused(f"It was not opened within {seconds / 60:.0f} minutes, so it was stopped.") from None
        raise ImportRefused(
            f"The file made the program that opened it end (status {error.status}). It is damaged, too large for this "
            "machine's memory, or not what it seems."
        ) from None


_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_FOR_THE_WEB = (
    *_CERTIFICATES,
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
)
