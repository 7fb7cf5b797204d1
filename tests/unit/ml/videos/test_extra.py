"""Where the extra is not installed, a video is refused with a sentence that names it."""

import pytest

from ml.datasets.entries import ArchiveEntry
from ml.images.decoding import ImageRejected, verify_image
from ml.videos import frames

HEADS = [b"\0\0\0\x20ftypisom", b"\0\0\0\x14ftypqt  ", b"\x1a\x45\xdf\xa3\x9f\x42", b"\0\0\0\x08wide\0\0\0\x08mdat"]


@pytest.mark.parametrize("head", HEADS)
def test_sentence_names_the_extra(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "find_spec", lambda name: None)
    video = ArchiveEntry("cat/clip.mp4", "cat", head + bytes(100), None)
    (entry,) = frames.with_frames([video], frames.Sampling())
    assert (entry.name, entry.class_name, entry.data) == ("cat/clip.mp4", None, None)
    assert "EXTRAS=video" in (entry.reason or "")


@pytest.mark.parametrize("head", HEADS)
def test_a_question_about_a_video_is_told_what_it_is(head: bytes) -> None:
    with pytest.raises(ImageRejected, match="This is a video, not a picture"):
        verify_image(head + bytes(100))
