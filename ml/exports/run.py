"""Build an export and certify it, in child processes that are watched and can be stopped.

Raise `ChildKilled` if one of them is killed or crashes: whoever runs the job tries it again.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.backbones.backbone import Backbone
from ml.errors import Refused
from ml.exports.certificate import Answers, certify
from ml.exports.parts import Parts
from ml.exports.program import ANSWERS
from ml.exports.registry import ExportFormat
from ml.sandbox.child import ChildFailed, ChildKilled, run_child
from ml.sandbox.confine import Limits, bare_environment, confined, why_unconfined
from ml.settings import MLSettings
from ml.training.artifacts import Evaluation
from ml.training.rejection import Rejection, refused

SECONDS = 1800.0
PROCESSOR_SECONDS = 8 * 3600  # SECONDS of wall-clock time stop it earlier


class ExportFailed(Refused):
    """The export could not be made. The message is a sentence for the user."""


def build_export(format: ExportFormat, parts: Parts, folder: Path, alive: Callable[[], None]) -> Path:
    """Build the format's files in a new folder within `folder`, and return that folder.

    `alive` is called twice a second, and stops the work if it raises. Raise `ExportFailed` if the files cannot be made.
    """
    source, out = folder / "parts", folder / "export"
    source.mkdir()
    out.mkdir()
    parts.write(source)
    arguments = ["build", format.name, str(source), str(out)]
    limits = _limits(folder, parts.backbone.machine, unconfined=parts.backbone.may_run_unconfined)
    _run(arguments, folder, limits, alive, lambda line: None)
    return out


def build_hub_backbone(backbone: Backbone, folder: Path, alive: Callable[[], None]) -> Path:
    """Build a backbone's files for TensorFlow Hub in a new folder within `folder`, and return that folder.

    `alive` and the errors are as for `build_export`.
    """
    out = folder / "model"
    out.mkdir()
    arguments = ["hub", backbone.name, str(out), backbone.machine.dump()]
    limits = _limits(folder, backbone.machine, unconfined=backbone.may_run_unconfined)
    _run(arguments, folder, limits, alive, lambda line: None)
    return out


def certify_export(
    format: ExportFormat,
    out: Path,
    evaluation: Evaluation,
    rejection: Rejection,
    read: Callable[[str], bytes],
    alive: Callable[[], None],
    report: Callable[[int], None],
    *,
    unconfined: bool,
) -> dict[str, Any]:
    """Run the exported program on the test pictures' files, and return the certificate (see `certify`).

    `read` returns a picture's bytes by sha256; report(pictures done) and `alive` are called as it goes; `unconfined`
    lets it run where the system cannot confine it. Raise `ExportFailed` if the file does not answer as it should.
    """
    pictures = out.parent / "pictures"
    pictures.mkdir()
    for number, sha256 in enumerate(evaluation.sha256s):
        (pictures / str(number)).write_bytes(read(sha256))
        if number % 50 == 0:
            alive()
    arguments = ["answer", str(out), str(pictures)]
    limits = _limits(out.parent, unconfined=unconfined)
    # Libraries may print anything; only lines with a number are ours.
    _run(arguments, out.parent, limits, alive, lambda line: report(int(line)) if line.strip().isdecimal() else None)
    with np.load(pictures.with_suffix(ANSWERS), allow_pickle=False) as arrays:
        answers, none_of_these = arrays["probabilities"], arrays["none_of_these"]
        milliseconds = float(arrays["milliseconds"])
    if answers.shape != evaluation.probabilities.shape or none_of_these.shape != evaluation.labels.shape:
        raise ExportFailed(
            f"The exported file returns outputs of the shape {answers.shape}, not one score for each class."
        )
    site = Answers(evaluation.probabilities, refused(rejection.judge(evaluation.probabilities, evaluation.likeness)))
    return certify(format, site, Answers(answers, none_of_these), evaluation.labels, milliseconds=milliseconds)


def _limits(folder: Path, settings: MLSettings | None = None, *, unconfined: bool) -> Limits:
    """Return the limits of the program, which with `settings` may read weights."""
    reads = (str(settings.weights_dir), str(settings.backbones_dir)) if settings else ()
    return Limits(reads=reads, writes=(str(folder),), seconds=PROCESSOR_SECONDS, unconfined=unconfined)


def _run(
    arguments: Sequence[str],
    folder: Path,
    limits: Limits,
    alive: Callable[[], None],
    said: Callable[[str], None],
) -> None:
    """Run the program, confined because the backbone may be a stranger's."""
    try:
        run_child(
            *confined("ml.exports.program", arguments, limits),
            folder=folder,
            environment=bare_environment(folder),
            seconds=SECONDS,
            alive=alive,
            said=said,
        )
    except ChildKilled:
        raise
    except ChildFailed as error:
        if error.crashed:  # the network was trained here, so it is hardly to blame
            raise ChildKilled(error.status, error.last_line) from None
        if reason := why_unconfined(error.status):
            raise ExportFailed(reason) from None
        if error.status is None:
            raise ExportFailed(f"The export did not finish within {SECONDS / 60:.0f} minutes.") from None
        raise ExportFailed(f"The files could not be created (status {error.status}). {error.last_line}") from None
    if any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in folder.rglob("*")):
        # Code that took over that process may hope that we follow a link to a file it may not read itself.
        raise ExportFailed("The files could not be created: the result contains something other than files.")
