"""TensorBoard for a training, where it is installed: a process a training, asked through a socket that only we reach.

What asks has been let in by the site; nothing else can, as the socket lies in a folder of ours alone. A process ends by
itself when nobody asks for a while, and with the web process that started it.
"""

import http.client
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from filelock import FileLock

from classifier.models import Job
from classifier.services.event_files import event_files_name, open_event_files
from classifier.tensorboard.server import EVENTS, SOCKET
from ml.errors import Unavailable
from poetsweb.folders import BASE_DIR, make_socket_folder

log = structlog.get_logger(__name__)

MAX_PROCESSES = 3  # at the same time on this machine; each takes about 100 MB
IDLE_SECONDS = 300
START_SECONDS = 30.0
ANSWER_SECONDS = 60.0


class TensorBoardUnavailable(Unavailable):
    """It cannot be shown now; the message says why."""


@dataclass(frozen=True)
class TensorBoardAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def is_installed() -> bool:
    return importlib.util.find_spec("tensorboard") is not None


def ask_tensorboard(
    job: Job, prefix: str, method: str, target: str, headers: dict[str, str], body: bytes
) -> TensorBoardAnswer:
    """Return what TensorBoard, mounted at `prefix`, answers for a training; start it when it is first asked.

    Raise TensorBoardUnavailable, and OSError if the training has no event files.
    """
    folder = _folder(job)
    if not _answers(folder):
        _start(job, folder, prefix)
    connection = _UnixConnection(folder / SOCKET)
    try:
        connection.request(method, target, body or None, headers)
        answer = connection.getresponse()
        return TensorBoardAnswer(answer.status, dict(answer.headers), answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise TensorBoardUnavailable("TensorBoard has just stopped. Please reload the page.") from error
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(str(self._path))


def _folder(job: Job) -> Path:
    return Path(settings.TENSORBOARD_DIR) / str(job.pk)


def _answers(folder: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            probe.connect(str(folder / SOCKET))
    except OSError:
        return False
    return True


def _start(job: Job, folder: Path, prefix: str) -> None:
    try:
        make_socket_folder(folder.parent)
    except ImproperlyConfigured as error:
        log.error("tensorboard_folder", error=str(error))
        raise TensorBoardUnavailable("The folder for TensorBoard belongs to another user of this machine.") from None
    with FileLock(folder.parent / "lock"):  # several requests at once start one
        if _answers(folder):
            return
        _make_room(folder.parent)
        with open_event_files(job) as file, zipfile.ZipFile(file) as archive:
            archive.extractall(folder)  # our own, and extractall keeps within the folder
        (folder / event_files_name(job)).rename(folder / EVENTS)
        _wait_for(_launch(folder, prefix), folder)


def _make_room(parent: Path) -> None:
    """Remove what dead processes left. Raise TensorBoardUnavailable if too many live."""
    folders = [path for path in parent.iterdir() if path.is_dir()]
    alive = [path for path in folders if _answers(path)]
    for path in set(folders) - set(alive):
        shutil.rmtree(path, ignore_errors=True)
    if len(alive) >= MAX_PROCESSES:
        raise TensorBoardUnavailable(
            f"TensorBoard is already open for {MAX_PROCESSES} trainings, which is the most this site allows. "
            f"Each one closes {IDLE_SECONDS // 60} minutes after it was last used; please try again later."
        )


def _launch(folder: Path, prefix: str) -> "subprocess.Popen[bytes]":
    with (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own module, a folder of ours, a path of an address of ours
            [sys.executable, "-m", "classifier.tensorboard.server", str(folder), prefix, str(IDLE_SECONDS)],
            cwd=BASE_DIR,
            env={"PATH": os.environ.get("PATH", ""), "TMPDIR": str(folder), "HOME": str(folder)},  # no secrets of ours
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for the site, and it ends with the site
        )
    threading.Thread(target=process.wait, daemon=True).start()  # or it would stay as a zombie when it has ended
    return process


def _wait_for(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if _answers(folder):
            return
        time.sleep(0.05)
    process.kill()
    said = (folder / "stderr").read_bytes()[-2000:].decode(errors="replace") if folder.exists() else ""
    log.error("board_failed", status=process.poll(), said=said)
    raise TensorBoardUnavailable("TensorBoard did not start. The administrator can find the reason in the log.")
