"""Convert backbones to LiteRT files, once per machine, in a process of their own.

TensorFlow takes seconds and hundreds of megabytes and must not be loaded before a fork. Therefore `ensure_tflite` runs
this module as a program if the file is not there.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ml.backbones.backbone import Backbone
from ml.backbones.registry import get_backbone
from ml.backbones.spec import CONVERTED, GRAPH, BackboneSpec, custom_backbone_dir
from ml.errors import Unavailable, UserError
from ml.sandbox.environment import child_environment
from ml.settings import MLSettings

CONVERSION_SECONDS = 300  # takes about 25 on two cores; past this it hangs
STDERR_TAIL = 2000  # characters of the converter's complaint that are passed on

_checked: set[Path] = set()  # files this process has found to match their records


class ConversionFailed(Unavailable):
    """A backbone could not be converted; the message says why."""


def ensure_tflite(backbone: Backbone, folder: Path) -> Path:
    """Return the backbone's LiteRT file in `folder`, converting the backbone first if necessary.

    Any number of threads and processes may call this at once: one converts and the others wait. A file that does not
    match the sha256 in its record is converted again.

    Raise `ConversionFailed`, `DownloadFailed`, or `WeightsMissing` if the weights' package is not installed.
    """
    backbone.ensure_weights()
    path = converted_path(backbone, folder)
    if not _is_good(path, backbone):
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            if not _is_good(path, backbone):  # another may have converted it while this one waited
                _convert_aside(backbone, path)
    return path


def converted_path(backbone: Backbone, folder: Path) -> Path:
    """Return where the backbone's LiteRT file is in `folder`, once it is there. Raise `WeightsMissing`."""
    return folder / f"{backbone.name}-{backbone.digest[:16]}.tflite"


def record_path(path: Path) -> Path:
    """Return where the record of a converted file is."""
    return path.with_name(f"{path.name}.json")


def _is_good(path: Path, backbone: Backbone) -> bool:
    """Return whether the file matches its record, without reading it again in this process once it did."""
    if path in _checked and path.exists():
        return True
    if good := _matches(path, backbone):
        _checked.add(path)
    return good


def _matches(path: Path, backbone: Backbone) -> bool:
    """Return whether the file exists and is the one described by its record."""
    try:
        record = json.loads(record_path(path).read_text())
        return bool(record["digest"] == backbone.digest and record["sha256"] == _sha256_of(path))
    except (OSError, ValueError, KeyError, TypeError):  # not there, or not what `convert` writes
        return False


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file's lock between processes. The system frees it when its holder dies."""
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(timeout=2 * CONVERSION_SECONDS)
    except Timeout as error:
        raise ConversionFailed(f"Another process has been converting {path.stem} for too long.") from error
    try:
        yield
    finally:
        lock.release()


def _convert_aside(backbone: Backbone, path: Path) -> None:
    """Convert in a separate folder, then rename. Call it with the lock held.

    `open_atomically` does not fit, because another process writes these files and the record must come last.
    """
    prefix = f".{path.stem}-"
    for left_behind in path.parent.glob(f"{prefix}*"):  # by a process killed while it held the lock
        shutil.rmtree(left_behind, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=path.parent, ignore_cleanup_errors=True) as folder:
        aside = Path(folder, path.name)
        if backbone.spec is None:
            _run_converter(backbone, aside)
        else:
            _place(backbone, backbone.spec, aside)
        if not _matches(aside, backbone):
            raise ConversionFailed(
                f"{backbone.title} was converted from other weights or another version of its network."
            )
        if aside.with_suffix(".pb").is_file():
            os.replace(aside.with_suffix(".pb"), path.with_suffix(".pb"))
        os.replace(aside, path)
        # A death between the two leaves a file without its record, which is converted again.
        os.replace(record_path(aside), record_path(path))


def _place(backbone: Backbone, spec: BackboneSpec, path: Path) -> None:
    """Copy the converted form that came with a custom backbone, and write its record."""
    source = custom_backbone_dir(spec.name, backbone.machine) / (CONVERTED if spec.file == GRAPH else spec.file)
    try:
        shutil.copyfile(source, path)
    except OSError as error:
        raise ConversionFailed(f"The converted form of {spec.title} is missing ({error.strerror}).") from None
    record = {"name": spec.name, "digest": backbone.digest, "sha256": _sha256_of(path)}
    record_path(path).write_text(json.dumps(record, indent=2) + "\n")


def _run_converter(backbone: Backbone, path: Path) -> None:
    """Run this module as a program. Raise `ConversionFailed` with the end of its error output."""
    command = [sys.executable, "-m", "ml.engines.conversion", backbone.machine.dump(), backbone.name, str(path)]
    try:
        done = subprocess.run(  # noqa: S603 - our own module and a name from the registry
            command,
            env=child_environment(path.parent),
            capture_output=True,
            text=True,
            timeout=CONVERSION_SECONDS,
            check=False,  # what it said belongs in the message
        )
    except subprocess.TimeoutExpired as error:
        raise ConversionFailed(
            f"The conversion of {backbone.title} took more than {CONVERSION_SECONDS} s and was stopped."
        ) from error
    if done.returncode:
        said = done.stderr.strip()[-STDERR_TAIL:] or "It said nothing."
        raise ConversionFailed(f"{backbone.title} could not be converted (exit code {done.returncode}). {said}")


def convert(backbone: Backbone, path: Path) -> None:
    """Write the backbone as a frozen graph and as a float32 LiteRT file with any batch size, and its record.

    Import TensorFlow; run it in a converting process only. Raise `WeightsMissing`, `WeightsCorrupt` or
    `ConversionFailed`.
    """
    import keras
    import tensorflow as tf

    from ml.backbones.frozen_graphs import write_graph

    network = _build(backbone)
    _check_shapes(network, backbone)
    write_graph(network, path.with_suffix(".pb"))
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    record = {
        "name": backbone.name,
        "digest": backbone.digest,
        "sha256": _sha256_of(path),
        "input_size": backbone.input_size,
        "features": backbone.features,
        "converter": {"tensorflow": tf.__version__, "keras": keras.__version__},
    }
    record_path(path).write_text(json.dumps(record, indent=2) + "\n")


def _build(backbone: Backbone) -> Any:
    try:
        return backbone.build_network()
    except (ValueError, OSError) as error:  # what Keras and h5py say of a file that is none, or of another network
        first = next(iter(str(error).splitlines()), "")
        raise ConversionFailed(f"The weights do not fit {backbone.title} ({first}).") from error


def _check_shapes(network: Any, backbone: Backbone) -> None:
    size, found = backbone.input_size, (network.input_shape, network.output_shape)
    if found != ((None, size, size, 3), (None, backbone.features)):
        raise ConversionFailed(f"{backbone.title} has shapes {found}, which differ from those in the registry.")


def main(arguments: list[str]) -> int:
    """Run `python -m ml.engines.conversion SETTINGS NAME OUT`, and return the exit code."""
    if len(arguments) != 3:
        print("Usage: python -m ml.engines.conversion SETTINGS NAME OUT", file=sys.stderr)
        return 2
    try:
        convert(get_backbone(arguments[1], MLSettings.parse(arguments[0])), Path(arguments[2]))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
