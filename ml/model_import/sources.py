"""Find out what is in a file that somebody sent: the kind of network, its path and its labels."""

import json
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from ml.engines.tflite_metadata import read_metadata
from ml.errors import ImportRefused

SAVED_MODEL, FROZEN_GRAPH, TFLITE = "saved_model", "frozen_graph", "tflite"
KERAS, TENSORFLOW_JS = "keras", "tensorflow_js"
MAX_FILES = 10_000
MAX_MODEL_BYTES = 2 * 2**30  # bytes unpacked; TensorFlow writes no graph that is larger
MAX_LABELS, MAX_LABELS_BYTES = 100_000, 2**20
# The limit for an imported classifier, whose head and confusion matrix grow with the square.
MAX_CLASSES = 2000
LABEL_FILES = ("labels.txt", "retrained_labels.txt", "output_labels.txt", "class_names.txt")
_NUMBERED = re.compile(r"(\d+)[ :\t]+(.*)")
_TFLITE_MARK = b"TFL3"  # at byte 4, as in every FlatBuffer with an identifier


@dataclass(frozen=True)
class Source:
    """A network that was found, before it is opened.

    Attributes:
        kind: one of SAVED_MODEL, FROZEN_GRAPH, TFLITE, KERAS, TENSORFLOW_JS.
        path: a folder for SavedModel and TensorFlow.js, otherwise a file.
        labels: the names of its classes; empty if there are none.
    """

    kind: str
    path: Path
    labels: list[str]


def find_source(file: Path, scratch: Path) -> Source:
    """Find out by its content what `file` is; an archive is unpacked into `scratch`. Raise `ImportRefused`."""
    with file.open("rb") as opened:
        head = opened.read(512)
    if head[4:8] == _TFLITE_MARK:  # checked first, because ours and Google's end in a zip
        return Source(TFLITE, file, _labels_within(file))
    if head.startswith(b"\x89HDF") or _is_keras_file(file):
        return Source(KERAS, file, [])
    if zipfile.is_zipfile(file):
        unpack(_walk_zip(file), scratch)
    elif head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")) or head[257:262] == b"ustar":
        unpack(_walk_tar(file), scratch)
    elif not head:
        raise ImportRefused("The file is empty.")
    else:
        return Source(FROZEN_GRAPH, file, [])
    return find_in_folder(scratch)


def _is_keras_file(file: Path) -> bool:
    """Return whether this is a .keras file, which is a zip too."""
    if not zipfile.is_zipfile(file):
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            return {"config.json", "model.weights.h5"} <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def find_in_folder(folder: Path) -> Source:
    """Find a SavedModel, or a file of one of the other kinds, somewhere below a folder.

    Raise `ImportRefused` if there is none, or more than one file of a kind.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    labels = _labels_of(paths)
    for path in paths:
        if path.name == "saved_model.pb":
            return Source(SAVED_MODEL, path.parent, labels)
        if path.name == "model.json":
            return Source(TENSORFLOW_JS, path.parent, labels)
    for ending, kind in ((".tflite", TFLITE), (".pb", FROZEN_GRAPH), (".keras", KERAS), (".h5", KERAS)):
        found = [path for path in paths if path.suffix.lower() == ending and path.name != "tfhub_module.pb"]
        if len(found) == 1:
            return Source(kind, found[0], labels or (_labels_within(found[0]) if kind == TFLITE else []))
        if found:
            raise ImportRefused(f"There are {len(found)} {ending} files in it. Send only the one to import.")
    raise ImportRefused("There is no SavedModel (saved_model.pb), .tflite, .pb, .keras, .h5 or model.json in it.")


def parse_labels(data: bytes) -> list[str]:
    """Return the labels from a text with a label per line, or "0 apple" and so on.

    Raise `ImportRefused` if it is not UTF-8 or too long.
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ImportRefused("The label file is not a text file in UTF-8.") from None
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) > MAX_LABELS:
        raise ImportRefused(f"There are more than {MAX_LABELS:,} labels.")
    numbered = [_NUMBERED.fullmatch(line.strip()) for line in lines]
    if len(lines) > 1 and all(match and int(match[1]) == place for place, match in enumerate(numbered)):
        return [match[2].strip() for match in numbered if match]
    return [line.strip() for line in lines]


def make_unique(labels: list[str]) -> list[str]:
    """Return the labels with a number behind those that repeat: crane, crane (2), as two of ImageNet's are cranes."""
    taken, unique = set(labels), []
    used: set[str] = set()
    for label in labels:
        name, number = label, 2
        while name in used or (name != label and name in taken):
            name, number = f"{label} ({number})", number + 1
        used.add(name)
        unique.append(name)
    return unique


def _labels_of(paths: list[Path]) -> list[str]:
    for path in paths:
        if path.name in LABEL_FILES and path.stat().st_size <= MAX_LABELS_BYTES:
            return parse_labels(path.read_bytes())
        if path.name == "metadata.json" and path.stat().st_size <= MAX_LABELS_BYTES:
            labels = _labels_of_metadata(path.read_bytes())
            if labels:
                return labels
    return []


def _labels_of_metadata(data: bytes) -> list[str]:
    """Return the labels from a metadata.json, which Teachable Machine writes beside TensorFlow.js files."""
    try:
        labels = json.loads(data)["labels"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    named = isinstance(labels, list) and len(labels) <= MAX_LABELS and all(isinstance(one, str) for one in labels)
    return labels if named else []


def _labels_within(file: Path) -> list[str]:
    """Return the labels from the zip that a .tflite file may contain: what its metadata name, or a usual name."""
    told = read_metadata(file).labels
    if told is not None:
        return parse_labels(told)
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if info.filename.endswith(("labels.txt", "labelmap.txt")) and info.file_size <= MAX_LABELS_BYTES:
                    return parse_labels(archive.read(info))
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, zlib.error):
        pass
    return []


# A file of an archive: its name, its bytes unpacked as the archive says, and how to open it.
_Entry = tuple[str, int, Callable[[], IO[bytes]]]


def unpack(entries: Iterator[_Entry], folder: Path) -> None:
    """Unpack ordinary files below `folder`, limited in number and size. Raise `ImportRefused` for anything else."""
    total = 0
    try:
        for number, (name, size, open_entry) in enumerate(entries):
            total += size
            if number >= MAX_FILES or total > MAX_MODEL_BYTES:
                raise ImportRefused(f"It contains more than {MAX_FILES:,} files or {MAX_MODEL_BYTES >> 30} GB.")
            target = folder.joinpath(*_safe_parts(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_entry() as source, target.open("wb") as out:
                _copy(source, out, size)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise ImportRefused(f"The archive is damaged ({str(error)[:100] or 'it ends too early'}).") from None
    except (OSError, ValueError) as error:
        raise ImportRefused(f"The archive cannot be unpacked ({type(error).__name__}).") from None


def _copy(source: IO[bytes], out: IO[bytes], size: int) -> None:
    """Copy as many bytes as were announced, and not one more."""
    left = size
    while chunk := source.read(min(2**20, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise ImportRefused("A file in the archive is larger than the archive says.")
        out.write(chunk)


def _safe_parts(name: str) -> tuple[str, ...]:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/" or ":" in parts[0] or "\0" in name or len(name) > 1000:
        raise ImportRefused(f"The archive contains a file with an invalid name: {name[:100]!r}.")
    return parts


def _walk_zip(file: Path) -> Iterator[_Entry]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                raise ImportRefused("The archive contains links. Pack the files themselves.")
            yield info.filename, info.file_size, lambda info=info: archive.open(info)  # type: ignore[misc]


def _walk_tar(file: Path) -> Iterator[_Entry]:
    with tarfile.open(file, "r:*") as archive:
        for member in archive:
            if member.isdir():
                continue
            if not member.isfile():
                raise ImportRefused("The archive contains links or devices. Pack the files themselves.")
            yield member.name, member.size, lambda member=member: archive.extractfile(member)  # type: ignore[misc]
