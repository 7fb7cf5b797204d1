"""Read a folder of class folders as the pictures of a training."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ml.datasets.archives import ArchiveWalk, open_folder
from ml.datasets.splits import SMALLEST_CLASS, SplitSample, assign_splits
from ml.errors import Refused

FEW = 20  # the original warned of smaller classes


class BadPhotos(Refused):
    """The folder cannot be used for a training. The message is a sentence for the user."""


@dataclass(frozen=True)
class Photo:
    """A file in a class folder."""

    name: str  # path below the folder
    place: int  # position in the walk, which reads it
    sha256: str
    label: int  # index of its class
    split: str = ""  # given by a folder or a table


@dataclass(frozen=True)
class Photos:
    """The photos of a folder, and the walk that reads them."""

    walk: ArchiveWalk
    labels: list[str]  # names of the class folders, sorted
    photos: list[Photo]

    def read(self, photo: Photo) -> bytes:
        """Read a photo. Raise `BadPhotos` if its file has disappeared or changed since it was listed."""
        assert self.walk.entry is not None  # noqa: S101 - a folder's has one
        data = self.walk.entry(photo.place).data
        if data is None or sha256(data).hexdigest() != photo.sha256:
            raise BadPhotos(f"{photo.name} changed while the training was running. Start the training again.")
        return data


def list_photos(folder: Path, warn: Callable[[str], None]) -> Photos:
    """List the files of all classes, without checking yet what they contain.

    Raise `BadPhotos` if there is no such folder or its layout is doubtful, `ArchiveRejected` beyond the limits.
    """
    if not folder.is_dir():
        raise BadPhotos(f"There is no folder {folder}.")
    opened = open_folder(folder)
    doubts = [question.text for question in opened.plan.questions if question.key == "layout"]
    if opened.plan.classes and doubts:
        raise BadPhotos(f"{doubts[0]} Put the photos of each class into a folder called as the class.")
    for address in opened.plan.web:
        warn(f"{address}: pictures on the web are not fetched here; retrain on a site (--project) does that.")
    walk = opened.walk()
    found: dict[str, tuple[int, str, str, str]] = {}  # sha256 -> place, name, class, given split
    for place, entry in enumerate(walk):
        if entry.data is None or entry.class_name is None:
            warn(f"{entry.name}: {entry.reason or 'It is not in a class folder.'}")
            continue
        digest = sha256(entry.data).hexdigest()
        _, first, label, _ = found.setdefault(digest, (place, entry.name, entry.class_name, entry.split))
        if label != entry.class_name:
            warn(f"{entry.name}: the same picture is already {first}; it can only be in one class.")
    labels = sorted({label for _, _, label, _ in found.values()})
    numbers = {label: number for number, label in enumerate(labels)}
    photos = [
        Photo(name, place, digest, numbers[label], split) for digest, (place, name, label, split) in found.items()
    ]
    return Photos(walk, labels, photos)


def check_classes(photos: Photos, folder: Path, warn: Callable[[str], None]) -> None:
    """Warn of small classes, and raise `BadPhotos` if there is too little to train on."""
    if not photos.labels:
        raise BadPhotos(f"No class folders with pictures were found in {folder}.")
    if len(photos.labels) == 1:
        raise BadPhotos(f"Only one class folder was found in {folder}, {photos.labels[0]!r}. At least two are needed.")
    for number, label in enumerate(photos.labels):
        count = sum(photo.label == number for photo in photos.photos)
        if count < SMALLEST_CLASS:
            has = "1 picture" if count == 1 else f"{count} pictures"
            raise BadPhotos(f"The class {label!r} has {has}. At least {SMALLEST_CLASS} are needed.")
        if count < FEW:
            warn(f"WARNING: The class {label!r} has less than {FEW} pictures, which may cause issues.")


def split_photos(photos: list[Photo], *, validation_percentage: int, testing_percentage: int) -> dict[str, str]:
    """Return sha256 -> split: as folders or tables give it, else by the pictures' content alone."""
    samples = [SplitSample(photo.sha256, photo.label, photo.split, is_given=bool(photo.split)) for photo in photos]
    shares = {"validation_percentage": validation_percentage, "testing_percentage": testing_percentage}
    return {photo.sha256: photo.split for photo in photos} | assign_splits(samples, **shares)
