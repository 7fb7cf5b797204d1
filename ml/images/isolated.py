"""Read pictures in a process of their own, one by one, to find the one whose bytes crash a codec.

As a program, it reads pictures from its input, each after its length, and answers each with a byte once it has been
decoded in all the ways that we decode pictures. Where there is no answer, that picture has ended the process.
"""

import contextlib
import select
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ml.images.decoding import ImageRejected, load_picture, make_thumbnail, verify_image

CRASHES = "This picture crashes the program that reads pictures."
SECONDS = 60.0  # for one picture
SMALL = 32  # pixels; decoding is what crashes
_LENGTH = struct.Struct("<Q")


class IsolatedReader:
    """A process that reads pictures, which is started again when a picture has ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def crashes(self, data: bytes) -> bool:
        """Return whether reading this picture ends the process, or takes longer than a minute."""
        if self._process is None:
            command = [sys.executable, "-m", "ml.images.isolated"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        if self._ask(self._process, data):
            return False
        self.close()
        return True

    def _ask(self, process: "subprocess.Popen[bytes]", data: bytes) -> bool:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - for the type checker
        try:
            process.stdin.write(_LENGTH.pack(len(data)) + data)
            process.stdin.flush()
        except BrokenPipeError:
            return False
        ready, _, _ = select.select([process.stdout], [], [], SECONDS)
        return bool(ready and process.stdout.read(1))

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(BrokenPipeError):
                self._process.communicate()
            self._process = None


@contextmanager
def isolated_reader() -> Iterator[IsolatedReader]:
    """Provide a reader whose process ends with the block."""
    reader = IsolatedReader()
    try:
        yield reader
    finally:
        reader.close()


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Read pictures until there are no more, and answer each with a byte."""
    while len(header := source.read(_LENGTH.size)) == _LENGTH.size:
        _read(source.read(*_LENGTH.unpack(header)))
        target.write(b".")
        target.flush()


def _read(data: bytes) -> None:
    with contextlib.suppress(ImageRejected):
        verify_image(data)
        load_picture(data, SMALL)
        make_thumbnail(data, SMALL)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
