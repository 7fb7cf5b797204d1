"""Walk a zip. Its table of contents can be read first, so the order is by name and the total is known."""

import os
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ml.datasets.entries import (
    IS_DAMAGED,
    IS_LINK,
    NOT_A_FILE,
    ArchiveEntry,
    ArchiveLimits,
    ArchiveMember,
    ArchiveRejected,
    ArchiveWalk,
    ClassifiedMember,
    Survey,
    classify_member,
    read_member,
    too_large,
    too_many_bytes,
    too_many_entries,
)
from ml.datasets.name_encodings import DEFAULT, NameEncoding, decode_name, judge_names
from ml.datasets.names import EntryRefused
from ml.datasets.plan import Verdict

_ENCRYPTED = "It is encrypted. Make an archive without a password."
_UNUSUAL = "It is packed in an unusual way. Make an ordinary zip."
_OVERLAPS = "It shares its bytes with another file of the archive."
_NO_DIRECTORY = "The zip archive is cut off: its table of contents, at its end, is missing. Upload it again."
_BAD_DIRECTORY = "The zip archive is damaged: its table of contents cannot be read."

_FLAG_ENCRYPTED, _FLAG_UTF8 = 0x1, 0x800
_DOS_FOLDER = 0x10
_LOCAL_ENTRY, _LOCAL_HEADER_SIZE, _LOCAL_LENGTHS_AT = b"PK\x03\x04", 30, 26
_LIKELY_EXTRA = 64  # bytes; most entries are then read in one go
_PACKING_OVERHEAD = 1024  # bytes: deflating what cannot be squeezed makes it a little longer

_END, _END_SIZE, _MAX_COMMENT = b"PK\x05\x06", 22, 65535
_END64, _LOCATOR64, _SIZE64 = b"PK\x06\x06", b"PK\x06\x07", 76
_DIRECTORY_ENTRY = b"PK\x01\x02"
# A fair allowance for one line of the table of contents with its name; a table longer than that is not read.
_BYTES_PER_ENTRY = 500


class ZipMember(NamedTuple):
    """A file of a zip, and all that is needed to read it without the table of contents. JSON can carry it."""

    name: str  # as in ClassifiedMember
    class_name: str | None
    reason: str | None
    offset: int  # of its own header, in bytes, as all that follow
    header_size: int  # at most, usually
    packed_size: int
    size: int
    crc: int
    deflated: bool
    split: str = ""  # these came later: jobs may wait that were queued before them
    group: str = ""


@dataclass
class ZipListing:
    """The table of contents of a zip: its files sorted by name, each with what is needed to read it."""

    infos: list[zipfile.ZipInfo]
    members: list[ArchiveMember]
    litter: int
    encoding: NameEncoding | None  # of the names that do not say it, if there are any

    def classify(self, verdicts: list[Verdict], limits: ArchiveLimits) -> list[ZipMember]:
        """Return all that is needed to read the files once the plan is made."""
        return [
            _place_member(info, classify_member(listed, verdict, limits))
            for info, listed, verdict in zip(self.infos, self.members, verdicts, strict=True)
        ]

    def read(self, path: Path, place: int) -> bytes:
        """Read one file. Raise `EntryRefused`."""
        return _open_and_read(path, _place_member(self.infos[place], ClassifiedMember("", None, None)))


def _place_member(info: zipfile.ZipInfo, classified: ClassifiedMember) -> ZipMember:
    """Add what is needed to read a file to what becomes of it."""
    header = _LOCAL_HEADER_SIZE + len(info.orig_filename) + _LIKELY_EXTRA
    deflated = info.compress_type != zipfile.ZIP_STORED
    name, label, reason, split, group = classified
    place = (info.header_offset, header, info.compress_size, info.file_size, info.CRC, deflated)
    return ZipMember(name, label, reason, *place, split, group)


def list_zip(path: Path, limits: ArchiveLimits, encoding: str = "") -> ZipListing:
    """List the files of a zip, sorted by name. Raise `ArchiveRejected` if none can be read.

    Args:
        encoding: of the names that do not say it; without one, it is judged.
    """
    _check_directory(path, limits)
    infos = _read_directory(path)
    judged = _judge_encoding(infos, encoding)
    survey = Survey(limits)
    listed = _list_files(infos, survey, judged.encoding if judged else DEFAULT)
    _check_sizes(listed, limits)
    return ZipListing([info for info, _ in listed], [member for _, member in listed], survey.litter, judged)


def _judge_encoding(infos: list[zipfile.ZipInfo], encoding: str) -> NameEncoding | None:
    # orig_filename, because filename ends at a NUL, which must not go unseen.
    names = [
        info.orig_filename for info in infos if not info.flag_bits & _FLAG_UTF8 and not info.orig_filename.isascii()
    ]
    if not names:
        return None
    return NameEncoding(encoding) if encoding else judge_names([_raw_name(name) for name in names])


def _raw_name(name: str) -> bytes:
    """Return the bytes of a name, which the standard library has read as the standard's cp437."""
    return name.encode(DEFAULT)


def read_zip(path: Path, members: list[ZipMember]) -> ArchiveWalk:
    """Walk some of the files that `list_zip` listed, in the order given."""
    return ArchiveWalk.of_any_order(len(members), partial(_entry, path, members))


def _read_directory(path: Path) -> list[zipfile.ZipInfo]:
    """Read the table of contents."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    # A damaged table raises all sorts: BadZipFile, NotImplementedError, UnicodeDecodeError, struct.error...
    except Exception as error:
        raise ArchiveRejected(_BAD_DIRECTORY) from error


def _check_directory(path: Path, limits: ArchiveLimits) -> None:
    """Refuse a table of contents that is missing or too long, before it is read into memory."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = max(0, size - _END_SIZE - _MAX_COMMENT - _SIZE64)
        file.seek(start)
        tail = file.read()
        end = tail.rfind(_END)
        if end < 0 or len(tail) - end < _END_SIZE:
            raise ArchiveRejected(_NO_DIRECTORY)
        length = _directory_length(tail, end)
        if length > limits.max_entries * _BYTES_PER_ENTRY:
            raise too_many_entries(limits)
        file.seek(max(0, start + end - _SIZE64 - length))
        if file.read(length + _SIZE64).count(_DIRECTORY_ENTRY) > limits.max_entries:
            raise too_many_entries(limits)


def _directory_length(tail: bytes, end: int) -> int:
    """Return the length of the table in bytes, from the record at `end` or from a 64-bit record before it."""
    record = end - _SIZE64
    if record >= 0 and tail.startswith(_LOCATOR64, end - 20) and tail.startswith(_END64, record):
        return int(struct.unpack_from("<Q", tail, record + 40)[0])
    return int(struct.unpack_from("<I", tail, end + 12)[0])


def _list_files(
    infos: list[zipfile.ZipInfo], survey: Survey, encoding: str
) -> list[tuple[zipfile.ZipInfo, ArchiveMember]]:
    overlapping = _overlapping(infos)
    found = []
    for info in infos:
        survey.count()
        name = _name_of(info, encoding)
        if _is_folder(info, name):
            continue
        refusal = _OVERLAPS if id(info) in overlapping else _refusal(info, survey.limits)
        listed = survey.add(name, refusal, info.file_size)
        if listed is not None:
            found.append((info, listed))
    return sorted(found, key=lambda pair: pair[1].name)


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[int]:
    """Return the ids of entries that run into the next: a zip bomb lists the same bytes many times over."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    return {
        id(info)
        for info, following in pairwise(ordered)
        if info.header_offset + _LOCAL_HEADER_SIZE + info.compress_size > following.header_offset
    }


def _name_of(info: zipfile.ZipInfo, encoding: str) -> str:
    name = info.orig_filename
    if info.flag_bits & _FLAG_UTF8 or name.isascii():
        return name
    return decode_name(_raw_name(name), encoding)


def _is_folder(info: zipfile.ZipInfo, name: str) -> bool:
    if name.endswith(("/", "\\")) or stat.S_ISDIR(info.external_attr >> 16):
        return True
    return bool(info.external_attr & _DOS_FOLDER) and info.file_size == 0


def _refusal(info: zipfile.ZipInfo, limits: ArchiveLimits) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return IS_LINK
    if kind not in (0, stat.S_IFREG):
        return NOT_A_FILE
    if info.flag_bits & _FLAG_ENCRYPTED:
        return _ENCRYPTED
    # Of the others, bzip2 and LZMA cannot be unpacked in small steps here: a few bytes would fill the memory.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return _UNUSUAL
    return too_large(limits) if info.file_size > limits.max_file_bytes else None


def _check_sizes(listed: list[tuple[zipfile.ZipInfo, ArchiveMember]], limits: ArchiveLimits) -> None:
    if listed and all(member.refusal == _ENCRYPTED for _, member in listed):
        raise ArchiveRejected("The archive is encrypted. Make one without a password.")
    if sum(info.file_size for info, member in listed if member.refusal is None) > limits.max_total_bytes:
        raise too_many_bytes(limits)


def _entry(path: Path, members: list[ZipMember], place: int) -> ArchiveEntry:
    member = members[place]
    return read_member(
        ClassifiedMember(member.name, member.class_name, member.reason, member.split, member.group),
        partial(_open_and_read, path, member),
    )


def _open_and_read(path: Path, member: ZipMember) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a file object would ask the system three things more
    try:
        return _read(file, member)
    finally:
        os.close(file)


def _read(file: int, member: ZipMember) -> bytes:
    """Read one entry, which has at most `member.size` bytes; the limits have been checked against that number.

    Raise `EntryRefused` if it is damaged. `ZipFile.open` is not used: it takes several times as long for a small
    picture, and it needs the table of contents.
    """
    if member.packed_size > 2 * member.size + _PACKING_OVERHEAD:
        raise EntryRefused(IS_DAMAGED)
    try:
        packed = _packed_bytes(file, member)
        data = _unpack(packed, member.size) if member.deflated else packed
    # Damaged entries raise all sorts: an offset before the beginning, lengths past the end, what cannot be unpacked.
    except (OSError, OverflowError, ValueError, struct.error, zlib.error) as error:
        raise EntryRefused(IS_DAMAGED) from error
    if len(data) != member.size or zlib.crc32(data) != member.crc:
        raise EntryRefused(IS_DAMAGED)
    return data


def _packed_bytes(file: int, member: ZipMember) -> bytes:
    """Read the bytes behind the entry's own header, whose name and extra field may be longer than the table's."""
    read = os.pread(file, member.header_size + member.packed_size, member.offset)
    if len(read) < _LOCAL_HEADER_SIZE or not read.startswith(_LOCAL_ENTRY):
        raise EntryRefused(IS_DAMAGED)
    start = _LOCAL_HEADER_SIZE + sum(struct.unpack_from("<HH", read, _LOCAL_LENGTHS_AT))
    end = start + member.packed_size
    if end > len(read):
        read += os.pread(file, end - len(read), member.offset + len(read))
    return read[start:end]


def _unpack(packed: bytes, size: int) -> bytes:
    """Decompress at most `size` + 1 bytes, however many the entry would expand to."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
