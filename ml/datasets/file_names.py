"""Read labels out of file names, and tell pictures, videos, tables and other files apart by their names."""

import functools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ml.datasets.readings import CLASS_MARK, compile_pattern
from ml.datasets.vocabulary import is_camera_prefix, is_occasion, split_of, words

# cat.0.jpg, cat_12.jpg, cat (3).jpg, cat-!-0.jpg (Teachable Machine), cat.0.copy.jpg: what stands before the number.
# It never tries twice what cannot fit: a name of a few hundred characters would take seconds otherwise.
_BEFORE_NUMBER = re.compile(
    r"^([\W\d_]*+[^\W\d_].*?)(?<![\s._\-!(])[\s._\-!(]*+(?<!\d)\d++\)?(?:[._\-\s]*(?:copy|rf)?(?:\.[0-9a-f]{32})?)?$",
    re.DOTALL,
)
_BEHIND_NUMBER = re.compile(r"^\d+[\s._\-]+([^\W\d_][^\d]*?)$")
_DOTTED = re.compile(r"^[^\W\d_][^.\d]*\.\d+$")
_TEACHABLE = re.compile(r"^(.+)-!-\d+$", re.DOTALL)
_FEWEST = 2  # pictures of each label, on average

PICTURES = frozenset(
    words(
        "jpg jpeg jpe jfif png gif bmp dib webp tif tiff avif heic heif hif jp2 j2k jpf jpx jpeg2000 ico tga ppm"
        " pgm pbm pnm pcx dcm dng cr2 cr3 nef arw orf rw2 raf nrw pef srw psd jxl mpo"
    )
)
# Read as frames where the extra `video` is installed; what a file is, its content says.
_VIDEOS = frozenset(words("mp4 m4v mov qt webm mkv avi 3gp mpg mpeg wmv flv"))
TABLES = ("csv", "tsv", "json", "jsonl", "ndjson", "manifest", "xml", "txt", "lst")
_OTHERS = frozenset(
    words(
        "jbf tmp part crdownload bak ithmb lrcat lrdata dthumb"
        " md rst pdf html htm ini log yaml yml toml cfg conf py ipynb js css sh bat db sqlite npy npz h5 hdf5 keras"
        " tflite pb pt pth onnx pkl pickle mat bin dat record tfrecord doc docx xls xlsx ppt pptx odt rtf cache"
        " names data url lnk mp3 wav ogg flac m4a aac exe dll iso torrent bib tex license xmp aae thm cube svg eps"
    )
)
_PLAIN_NAMES = frozenset(words("readme license licence copying notice authors changelog checksums makefile"))

PICTURE, VIDEO, TABLE, OTHER = "picture", "video", "table", "other"


@functools.lru_cache(maxsize=4096)
def _kind_of_ending(ending: str) -> str:
    if ending in PICTURES:
        return PICTURE
    if ending in _VIDEOS:
        return VIDEO
    return TABLE if ending in TABLES else OTHER if ending in _OTHERS else ""


def kind_of_file(last: str) -> str:
    """Return what a file is by its name alone; one without an ending that is known may be a picture."""
    stem, _, ending = last.rpartition(".")
    if stem:
        return _kind_of_ending(ending.lower()) or PICTURE
    return OTHER if last.lower() in _PLAIN_NAMES else PICTURE


def shows_something(last: str) -> bool:
    """Return whether a file may be a picture or a video, whose frames are pictures, by its name alone."""
    return kind_of_file(last) in (PICTURE, VIDEO)


def stem_of(last: str) -> str:
    """Return a file's name without its ending."""
    stem, _, ending = last.rpartition(".")
    return stem if stem and _kind_of_ending(ending.lower()) else last


@dataclass(frozen=True)
class NameLabels:
    """The labels that file names begin with: one for each file.

    Attributes:
        is_sure: whether all are written as in cat.0.jpg, with a dot, as nothing but a label is.
    """

    labels: list[str]
    is_sure: bool


def find_labels(names: Iterable[str]) -> NameLabels | None:
    """Return the labels of files of these names, or None unless all of them have one, and several share each."""
    stems = [stem_of(name) for name in names]
    for pattern in (_TEACHABLE, _BEFORE_NUMBER, _BEHIND_NUMBER):
        found = [pattern.match(stem) for stem in stems]
        labels = [match[1].strip(" ._-!(") if match else "" for match in found]
        if labels and all(labels) and _are_labels(labels):
            sure = pattern is _TEACHABLE or all(map(_DOTTED.match, stems))
            return NameLabels(labels, sure)
    return None


def _are_labels(labels: list[str]) -> bool:
    counts = Counter(labels)
    if len(counts) < 2 or len(labels) < _FEWEST * len(counts):
        return False
    return not any(is_camera_prefix(label) or is_occasion(label) or split_of(label) for label in counts)


def match_pattern(pattern: str, name: str, mark: str = CLASS_MARK) -> str:
    """Return the label that a pattern such as {class}.*.jpg finds in a file name, or ""."""
    found = _compiled(pattern, mark).fullmatch(name) if len(name) <= 255 else None
    return found[1].strip() if found else ""


_compiled = functools.lru_cache(maxsize=16)(compile_pattern)


def label_before_number(name: str) -> str:
    """Return what stands before the number in a file name, or ""."""
    stem = stem_of(name)
    found = _TEACHABLE.match(stem) or _BEFORE_NUMBER.match(stem) or _BEHIND_NUMBER.match(stem)
    return found[1].strip(" ._-!(") if found else ""


def is_picture_sidecar(last: str, pictures: frozenset[str]) -> bool:
    """Return whether a file describes one picture beside it, as IMG_1.jpg.json does, and is no table of many."""
    stem = last.rpartition(".")[0].lower()
    return stem in pictures or (kind_of_file(stem) == PICTURE and "." in stem)
