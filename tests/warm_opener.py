"""A process that opens many files: what a file shows is asked of TensorFlow that is loaded already."""

import json
import subprocess
import sys
from pathlib import Path

from ml.errors import ImportRefused
from ml.model_import.program import REFUSED
from ml.sandbox.confine import bare_environment
from tests.site import ROOT

# Answers leave by a descriptor of their own: what libraries print must not come between.
PROGRAM = """
import contextlib, io, json, os, sys
from ml.model_import.program import main
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        status = main(json.loads(line))
    print(json.dumps([status, stderr.getvalue()]), file=answers, flush=True)
"""


class WarmOpener:
    """Run `ml.model_import.program` for one file after the other, unconfined, in a process that loads it once.

    Started by the first file. One that ends the process fails the test.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def run(self, arguments: list[str], *_: object, **__: object) -> None:
        """Take the place of `opening._run`."""
        if self._process is None:
            self._process = self._start()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{json.dumps(arguments)}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, "The file ended the process that opened it."
        status, said = json.loads(answer)
        if status:
            assert status == REFUSED
            raise ImportRefused(said.strip().splitlines()[-1])

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env=bare_environment(self._folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def close(self) -> None:
        if self._process is not None:
            with self._process:
                self._process.terminate()
