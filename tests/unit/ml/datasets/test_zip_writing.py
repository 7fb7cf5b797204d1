"""A zip comes piece by piece, and any program can read it."""

import io
import zipfile
from datetime import datetime

import pytest

from ml.datasets.zip_writing import StreamedZip

AT = datetime(2026, 3, 4, 5, 6, 8)


def test_pieces_are_a_zip() -> None:
    archive = StreamedZip()
    pieces = [archive.add("cat/1.jpg", b"picture", AT), archive.add("ä.csv", b"a" * 999, AT, deflate=True)]
    assert pieces[0].endswith(b"picture")
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces) + archive.finish())) as read:
        assert read.testzip() is None
        stored, packed = read.infolist()
        assert (stored.filename, stored.compress_type, stored.date_time) == ("cat/1.jpg", 0, (2026, 3, 4, 5, 6, 8))
        assert (packed.filename, read.read(packed), packed.compress_size < 99) == ("ä.csv", b"a" * 999, True)
        # Sizes behind an entry that is stored are more than some programs can read.
        assert (stored.flag_bits | packed.flag_bits) & 0x08 == 0


def test_older_than_zips() -> None:
    archive = StreamedZip()
    data = archive.add("1.jpg", b"", datetime(1970, 1, 1)) + archive.finish()
    assert zipfile.ZipFile(io.BytesIO(data)).infolist()[0].date_time[0] == 1980


def test_more_than_four_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that so much has been taken already, as writing it would take minutes."""
    archive = StreamedZip()
    first = archive.add("1.jpg", b"1", AT)
    monkeypatch.setattr(archive._window, "_taken", 5 * 2**30)
    archive._archive.start_dir = 5 * 2**30
    second = archive.add("2.jpg", b"2", AT)
    end = archive.finish()
    assert first.startswith(b"PK\x03\x04")
    assert second.startswith(b"PK\x03\x04")
    assert b"PK\x06\x06" in end
    assert (5 * 2**30).to_bytes(8, "little") in end
