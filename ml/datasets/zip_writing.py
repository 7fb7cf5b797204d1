"""Write a zip piece by piece, so that whoever receives it gets its first bytes at once and it is never whole anywhere.

The standard library writes it. It goes back to the beginning of an entry to note its length and checksum there, without
which some programs cannot read entries that are stored; so each entry is kept until it is written.
"""

import io
import zipfile
from datetime import datetime

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16  # by everybody, where there are permissions


class _Window:
    """A file of which only what has not been taken yet is kept, as far as a zip needs one."""

    def __init__(self) -> None:
        self._taken, self._kept = 0, io.BytesIO()

    def tell(self) -> int:
        return self._taken + self._kept.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._kept.seek(offset - self._taken)
        return offset

    def write(self, data: bytes) -> int:
        return self._kept.write(data)

    def flush(self) -> None:
        """Do nothing: what is written is there."""

    def take(self) -> bytes:
        """Return what has been written since the last time, and forget it."""
        data = self._kept.getvalue()
        self._taken, self._kept = self._taken + len(data), io.BytesIO()
        return data


class StreamedZip:
    """A zip of which each piece is handed on as soon as it is written."""

    def __init__(self) -> None:
        self._window = _Window()
        self._archive = zipfile.ZipFile(self._window, "w")  # type: ignore[call-overload]

    def add(self, name: str, data: bytes, at: datetime, *, deflate: bool = False) -> bytes:
        """Return the bytes of the zip that hold this file. Pictures hardly shrink: they are stored as they are."""
        date = max(_EARLIEST, at.timetuple()[:6])
        info = zipfile.ZipInfo(name, date)
        info.external_attr = _READABLE
        info.compress_type = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
        self._archive.writestr(info, data)
        return self._window.take()

    def finish(self) -> bytes:
        """Return the last bytes: the table of contents."""
        self._archive.close()
        return self._window.take()

    def close(self) -> None:
        """End a zip that nobody waits for any more, or that is finished."""
        self._archive.close()
