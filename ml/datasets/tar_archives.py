"""Walk a tar, plain or compressed with gzip, bzip2, xz or Zstandard (an extra), in two passes.

The first pass reads the headers, because the layout is known only at the end; the second reads the files. Both go
strictly forwards and in small steps.
"""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from ml.datasets.entries import (
    IS_DAMAGED,
    IS_LINK,
    NOT_A_FILE,
    REST_UNREADABLE,
    ArchiveEntry,
    ArchiveLimits,
    ArchiveMember,
    ArchiveRejected,
    Survey,
    classify_member,
    closing_entry,
    list_file,
    read_member,
    too_large,
    too_many_bytes,
)
from ml.datasets.file_names import TABLE, kind_of_file
from ml.datasets.names import EntryRefused
from ml.datasets.plan import Verdict
from ml.datasets.table_files import MAX_TABLE_BYTES

_STEP = 2**18
_MOST_TABLES, _MOST_TABLE_BYTES = 100, 64 * 2**20  # kept in memory
# A header with a long name or extended attributes takes a few thousand bytes.
_MAX_HEADER_READ = 2**16
# Headers and padding: what a tar may hold beside its files, per entry and altogether.
_OVERHEAD_PER_ENTRY, _OVERHEAD = 4096, 2**20
# xz -9 needs 65 MB; a file may ask for 4 GB.
_XZ_MEMORY = 2**28

# zstd --ultra -22 needs 128 MB; a file may ask for 2 TB.
_ZSTD_MEMORY = 2**27

_GZIP, _BZIP2, _XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"
TAR_PACKINGS = (_GZIP, _BZIP2, _XZ, ZSTD)


class _TarBroken(Exception):
    """The archive cannot be read any further."""


@dataclass
class TarListing:
    """The files of a tar in its own order, and the bytes of what may be tables, as they cannot be gone back to."""

    members: list[ArchiveMember]
    litter: int
    tables: dict[int, bytes]
    is_complete: bool

    def read(self, place: int) -> bytes:
        """Return a table. Raise `EntryRefused` if it could not be read."""
        if place not in self.tables:
            raise EntryRefused(IS_DAMAGED)
        return self.tables[place]

    @property
    def total(self) -> int:
        """Count the entries; the one that tells about a missing rest is one as well."""
        return len(self.members) + (0 if self.is_complete else 1)


def list_tar(path: Path, limits: ArchiveLimits) -> TarListing:
    """List the files of a tar in its own order. Raise `ArchiveRejected` if none can be read."""
    survey = Survey(limits)
    tables: dict[int, bytes] = {}
    complete = _survey(path, survey, tables)
    return TarListing(survey.members, survey.litter, tables, complete)


def _survey(path: Path, survey: Survey, tables: dict[int, bytes]) -> bool:
    """Make the first pass, and return whether the archive could be read to its end."""
    size = 0
    try:
        for member, stream in _members(path, survey.limits):
            survey.count()
            size += max(0, member.size) if member.isreg() else 0
            if size > survey.limits.max_total_bytes:
                raise too_many_bytes(survey.limits)
            listed = None if member.isdir() else survey.add(member.name, _refusal(member, survey.limits), member.size)
            if listed is not None and listed.refusal is None and _may_be_table(listed, tables):
                tables[len(survey.members) - 1] = _read(stream, member)
    except ArchiveRejected:
        raise
    # Broken bytes raise all sorts: TarError, EOFError, zlib.error, LZMAError, ZstdError, OSError, RecursionError.
    except Exception as error:
        if not survey.seen:
            raise ArchiveRejected("This is not a zip or tar archive, or it is damaged.") from error
        return False
    return True


def _may_be_table(listed: ArchiveMember, tables: dict[int, bytes]) -> bool:
    room = _MOST_TABLE_BYTES - sum(map(len, tables.values())) if len(tables) < _MOST_TABLES else 0
    return kind_of_file(listed.last) == TABLE and listed.size <= min(MAX_TABLE_BYTES, room)


def read_tar(path: Path, verdicts: list[Verdict], limits: ArchiveLimits) -> Iterator[ArchiveEntry]:
    """Walk the files in their order, with the verdict on each."""
    following = iter(verdicts)
    try:
        for member, stream in _members(path, limits):
            listed = None if member.isdir() else list_file(member.name, _refusal(member, limits), limits, member.size)
            if listed is not None:
                classified = classify_member(listed, next(following), limits)
                yield read_member(classified, partial(_read, stream, member))
    except Exception:  # as above
        yield closing_entry(REST_UNREADABLE)


def _refusal(member: tarfile.TarInfo, limits: ArchiveLimits) -> str | None:
    if member.issym() or member.islnk():
        return IS_LINK
    if not member.isreg() or member.issparse():
        return NOT_A_FILE
    if member.size < 0:
        return IS_DAMAGED
    return too_large(limits) if member.size > limits.max_file_bytes else None


def _read(stream: "_Forward", member: tarfile.TarInfo) -> bytes:
    """Read a file that is within the limits. Raise `EntryRefused` if the archive is damaged or ends before it does."""
    try:
        stream.seek(member.offset_data)
        data = stream.read_data(member.size)
    except Exception as error:  # as above
        # Nothing sensible comes out of a stream after that, even if it does not say so.
        stream.broken = True
        raise EntryRefused(IS_DAMAGED) from error
    if len(data) < member.size:
        raise EntryRefused(IS_DAMAGED)
    return data


def _members(path: Path, limits: ArchiveLimits) -> Iterator[tuple[tarfile.TarInfo, "_Forward"]]:
    """Yield all headers, each with the stream positioned somewhere before the next header."""
    most = limits.max_total_bytes + limits.max_entries * _OVERHEAD_PER_ENTRY + _OVERHEAD
    with _unpack(path) as unpacked:
        skips = isinstance(unpacked, io.BufferedReader) and unpacked.seekable()
        stream = _Forward(unpacked, most, skips)
        # Not "r|": there tarfile would take in a header of any length before anyone could object.
        archive: Any
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:", encoding="utf-8") as archive:
            while (member := archive.next()) is not None:
                # Both grow with every entry, the second at the will of whoever made the archive.
                archive.members.clear()
                archive.pax_headers.clear()
                yield member, stream
        # tarfile takes a header that it cannot read for the end. The true end is a block of zeros.
        if any(stream.last_header):
            raise _TarBroken


def _unpack(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        head = file.read(6)
    if head.startswith(_GZIP):
        return cast(IO[bytes], gzip.open(path))
    if head.startswith(_BZIP2):
        return cast(IO[bytes], bz2.open(path))
    if head.startswith(_XZ):
        return cast(IO[bytes], io.BufferedReader(_Xz(path), _STEP))
    if head.startswith(ZSTD):
        return _open_zstd(path)
    return path.open("rb")


def _open_zstd(path: Path) -> IO[bytes]:
    """Return a stream that decompresses within limited memory; it may consist of several frames."""
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MEMORY)
    return cast(IO[bytes], decoder.stream_reader(path.open("rb"), read_across_frames=True))


@dataclass
class _Forward:
    """The file interface that tarfile needs, restricted to reading forwards and to headers of limited size."""

    unpacked: IO[bytes]
    most: int  # bytes that may come out
    skips: bool  # whether what is not wanted can be passed over without reading it
    position: int = 0
    last_header: bytes = b"\x01"
    broken: bool = False

    def tell(self) -> int:
        return self.position

    def read(self, size: int) -> bytes:
        """Read for tarfile, which reads nothing but headers."""
        if not 0 <= size <= _MAX_HEADER_READ:
            raise _TarBroken
        data = self.read_data(size)
        if size >= tarfile.BLOCKSIZE:
            self.last_header = data or self.last_header
        return data

    def read_data(self, size: int) -> bytes:
        if self.broken:
            raise _TarBroken
        data = self.unpacked.read(size)
        self.position += len(data)
        if self.position > self.most:
            raise _TarBroken
        return data

    def seek(self, position: int) -> None:
        # Sizes below zero would send tarfile back, for ever.
        if position < self.position:
            raise _TarBroken
        if self.skips:
            self.position = self.unpacked.seek(position)
            return
        while self.position < position:
            if not self.read_data(min(_STEP, position - self.position)):
                raise _TarBroken


class _Xz(io.RawIOBase):
    """A stream that decompresses xz within limited memory, which `lzma.open` cannot guarantee."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._decoder = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._next(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _next(self, most: int) -> bytes:
        """Return between one and `most` bytes, or none at the end.

        Raise `EOFError` or `LZMAError` if the data is broken.
        """
        data = b""
        while not data:
            packed = self._file.read(_STEP) if self._decoder.needs_input or self._decoder.eof else b""
            if self._decoder.eof:
                # Further streams may follow, after zeros as padding.
                packed = (self._decoder.unused_data + packed).lstrip(b"\x00")
                if not packed:
                    return b""
                self._decoder = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            elif not packed and self._decoder.needs_input:
                raise EOFError
            data = self._decoder.decompress(packed, most)
        return data
