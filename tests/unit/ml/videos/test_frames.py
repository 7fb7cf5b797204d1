"""Videos become pictures of one group; a hostile one is refused by name, and what is beside it goes on."""

import io
import os
import re
import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av", reason="PyAV is not installed (make run EXTRAS=video)")

from ml.datasets.entries import ArchiveEntry
from ml.videos import decoding, frames
from ml.videos.frames import Sampling, count_files, group_of, with_frames
from ml.videos.limits import Trouble, say_trouble
from tests.pictures import make_jpeg
from tests.videos import encode_frames, make_sound, make_video

USUAL = Sampling()


def read(data: bytes, sampling: Sampling = USUAL, *, skip: int = 0, name: str = "cat/clip.mp4") -> list[ArchiveEntry]:
    return list(with_frames([ArchiveEntry(name, "cat", data, None, "test")], sampling, skip=skip))


def reason(data: bytes, sampling: Sampling = USUAL) -> str:
    (entry,) = read(data, sampling)
    assert (entry.name, entry.class_name, entry.data) == ("cat/clip.mp4", None, None)
    return entry.reason or ""


def brightness(entry: ArchiveEntry) -> float:
    return float(np.asarray(Image.open(io.BytesIO(entry.data or b""))).mean())


@pytest.mark.parametrize(
    ("format", "codec"), [("mp4", "mpeg4"), ("mov", "mpeg4"), ("webm", "libvpx"), ("avi", "mpeg4")]
)
def test_video_becomes_a_picture_a_second(format: str, codec: str) -> None:
    found = read(make_video(3.0, format=format, codec=codec))
    assert [entry.name for entry in found] == [f"cat/clip.mp4#000{second}.0s" for second in range(3)]
    assert {(entry.class_name, entry.split, entry.group, entry.reason) for entry in found} == {
        ("cat", "test", "cat/clip.mp4", None)
    }
    levels = [brightness(entry) for entry in found]
    assert levels == sorted(levels)
    assert levels[0] == pytest.approx(20, abs=6)
    assert levels[2] == pytest.approx(20 + 200 * 20 // 30, abs=6)  # the first frame of the third second


def test_rate_is_chosen() -> None:
    names = [entry.name.rpartition("#")[2] for entry in read(make_video(2.0), Sampling(rate=2.5))]
    assert names == ["0000.0s", "0000.4s", "0000.8s", "0001.2s", "0001.6s"]
    assert len(read(make_video(4.0), Sampling(rate=0.5))) == 2
    fast = [entry.name for entry in read(make_video(1.0, rate=30), Sampling(rate=30))]
    assert len(fast) == len(set(fast)) == 30


def test_large_frames_are_jpeg_and_small_ones_png() -> None:
    (small,), (large,) = read(make_video(1.0)), read(make_video(0.3, size=(640, 480)))
    assert [Image.open(io.BytesIO(entry.data or b"")).format for entry in (small, large)] == ["PNG", "JPEG"]
    assert Image.open(io.BytesIO(large.data or b"")).size == (640, 480)


def test_sideways_video_is_upright() -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, :48] = 255  # the left half is white
    data = bytearray(encode_frames([pixels] * 5))
    matrix = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 64 << 16, 0, 1 << 30)  # a quarter clockwise
    at = data.index(matrix, data.index(b"tkhd"))
    data[at : at + len(matrix)] = turned
    (entry,) = read(bytes(data))
    upright = np.asarray(Image.open(io.BytesIO(entry.data or b"")).convert("L"))
    assert upright.shape == (96, 64)
    assert upright[:40].mean() > 240  # what was left is on top
    assert upright[-40:].mean() < 15


def test_other_files_pass_and_videos_follow_their_content() -> None:
    picture = ArchiveEntry("a.mp4", "cat", make_jpeg(1), None)
    refused = ArchiveEntry("b.mp4", None, None, "It is encrypted.")
    found = list(with_frames([picture, refused], Sampling()))
    assert found == [picture, refused]
    assert len(read(make_video(2.0), name="cat/clip.jpg")) == 2


def test_group_that_was_given_is_kept() -> None:
    entries = [ArchiveEntry("a.mp4", "cat", make_video(2.0), None, "", "monday")]
    assert {entry.group for entry in with_frames(entries, Sampling())} == {"monday"}


@pytest.mark.parametrize("name", ["x" * 300 + ".mp4", "same photo as/a.mp4"])
def test_names_that_make_no_group_still_keep_frames_together(name: str) -> None:
    found = read(make_video(2.0), name=name)
    (group,) = {entry.group for entry in found}
    assert group == group_of(name)
    assert group.startswith("video ")
    assert group != group_of(f"{name}2")
    assert len({entry.name for entry in found}) == 2


def test_frames_wait_on_the_disk_only_while_they_are_needed(tmp_path: Path) -> None:
    video = ArchiveEntry("a.mp4", "cat", make_video(3.0), None)
    walk = with_frames([video], Sampling(folder=tmp_path))
    next(walk)
    assert len(list(tmp_path.glob("video-*/frames/*.png"))) == 3
    walk.close()
    assert os.listdir(tmp_path) == []


# --- hostile videos ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["mp4", "webm"])
def test_cut_off_or_broken_video_is_refused(format: str) -> None:
    data = make_video(3.0, format=format, codec="mpeg4" if format == "mp4" else "libvpx")
    rng = np.random.default_rng(0)
    for broken in (data[:12], data[:40], data[:12] + rng.bytes(5000), data[:12] + bytes(5000)):
        assert reason(broken) in (say_trouble(Trouble.DAMAGED), say_trouble(Trouble.EMPTY))


def test_flipped_bytes_never_raise() -> None:
    data, rng = make_video(1.0), np.random.default_rng(1)
    for _ in range(6):
        flipped = bytearray(data)
        for place in rng.integers(12, len(data), 60):
            flipped[place] = int(rng.integers(256))
        assert all(entry.data or entry.reason for entry in read(bytes(flipped)))


def test_video_without_pictures_is_refused() -> None:
    assert reason(make_sound()) == "There are no pictures in this video."


def test_video_that_claims_a_huge_size_is_refused() -> None:
    data = bytearray(make_video(0.5, codec="mjpeg", format="mov"))
    for found in re.finditer(rb"\xff\xc0\x00\x11\x08", bytes(data)):
        struct.pack_into(">HH", data, found.end(), 65000, 65000)
    assert reason(bytes(data)) in (say_trouble(Trouble.TOO_LARGE), say_trouble(Trouble.DAMAGED))


def test_frames_that_are_too_large_are_refused_whatever_the_header_says(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = make_video(0.5, size=(64, 64)), make_video(0.5, size=(640, 480))
    monkeypatch.setattr(decoding, "MOST_PIXELS", 256 * 256)
    assert decode_here(small) == 1
    with pytest.raises(decoding.Unusable) as caught:
        decode_here(large)
    assert caught.value.args == (Trouble.TOO_LARGE,)
    monkeypatch.setattr(decoding, "_open_stream", lambda container: container.streams.video[0])
    with pytest.raises(decoding.Unusable) as caught:  # by the frame itself, as if the size changed on the way
        decode_here(large)
    assert caught.value.args == (Trouble.TOO_LARGE,)


def decode_here(data: bytes, rate: float = 1.0) -> int:
    with TemporaryDirectory() as folder:
        Path(folder, "video").write_bytes(data)
        return decoding.write_frames(Path(folder, "video"), Path(folder), rate)


def test_hours_are_refused_whether_claimed_or_true(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "10 minutes" in reason(make_slow(700))
    monkeypatch.setattr(decoding, "MOST_SECONDS", 1.0)
    monkeypatch.setattr(decoding, "_open_stream", lambda container: container.streams.video[0])  # the claim is not read
    with pytest.raises(decoding.Unusable) as caught:
        decode_here(make_video(3.0))
    assert caught.value.args == (Trouble.TOO_LONG,)


def make_slow(seconds: int) -> bytes:
    """Return a video of a frame a second."""
    return encode_frames([np.zeros((16, 16, 3), np.uint8)] * seconds, rate=1)


def test_video_that_is_too_large_a_file_is_refused() -> None:
    assert reason(make_video(1.0), Sampling(max_bytes=1024)).startswith("The video is larger than 1,024 bytes.")


def test_more_frames_than_allowed_are_refused() -> None:
    assert "600 pictures" in reason(make_video(25.0, rate=30, size=(16, 16)), Sampling(rate=30))


def test_video_that_takes_too_long_is_refused_and_the_next_is_read() -> None:
    long, short = make_video(3.0), make_video(1.0)
    sampling = Sampling(seconds=0.0, each=False)
    refused, picture = with_frames(
        [ArchiveEntry("a.mp4", "c", long, None), ArchiveEntry("b.jpg", "c", make_jpeg(1), None)], sampling
    )
    assert refused.reason == say_trouble(None)
    assert picture.data
    assert len(read(short)) == 1


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("import os; os.abort()", "This video crashes the program that reads videos."),
        ("while True: pass", say_trouble(None)),
        ("bytearray(8 * 2**30)", "This video crashes the program that reads videos."),
        (
            "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass",
            say_trouble(None),
        ),
        ("", "This video crashes the program that reads videos."),  # it says that all is well, and left nothing
        ("import os, sys; os.symlink('/etc/passwd', sys.argv[2] + '/0000.0.jpg')", "This video crashes"),
    ],
)
def test_decoder_that_is_taken_over_harms_nothing(
    program: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken_over.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    real = frames.confined
    monkeypatch.setattr(frames, "confined", lambda module, *rest: real("taken_over", *rest))
    assert reason(make_video(1.0), Sampling(seconds=4.0)).startswith(sentence)


def test_who_waits_can_end_the_reading() -> None:
    class Cancelled(Exception):
        pass

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        read(make_video(20.0, rate=30, size=(320, 240)), Sampling(rate=20, alive=cancel))


# --- where a report ends -------------------------------------------------------------------------------


def test_frames_of_a_report_stand_for_their_video() -> None:
    one = ["a.mp4#0000.0s", "a.mp4#0001.0s"]
    assert count_files([]) == (0, 0)
    assert count_files(["1.jpg", "2.jpg"]) == (2, 0)
    assert count_files(["1.jpg", *one]) == (2, 2)
    assert count_files([*one, "1.jpg"]) == (2, 0)
    assert count_files([*one, *one]) == (2, 2)  # a tar may hold two files of one name
    assert count_files([*one, "b.mp4#0002.0s"]) == (2, 1)
    assert count_files(["a.mp4", "a.mp4"]) == (2, 0)  # refused ones


def test_reading_goes_on_within_a_video() -> None:
    assert [entry.name for entry in read(make_video(3.0), skip=2)] == ["cat/clip.mp4#0002.0s"]
    assert read(make_video(3.0), skip=3) == []
