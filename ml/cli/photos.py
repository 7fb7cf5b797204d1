"""A folder of class folders as the pictures of a training."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ml.datasets.archives import ArchiveWalk, walk_folder
from ml.datasets.splits import SMALLEST_CLASS, SplitSample, assign_splits
from ml.errors import Refused

FEW = 20  # the original warned below this


class BadPhotos(Refused):
    """Nothing can be trained on this folder. The message is a sentence for the user."""


@dataclass(frozen=True)
class Photo:
    name: str  # below the folder
    place: int  # in the walk, which gives its bytes
    sha256: str
    label: int  # index of its class
    split: str = ""


@dataclass(frozen=True)
class Photos:
    walk: ArchiveWalk
    labels: list[str]  # names of the class folders as they are, sorted
    photos: list[Photo]

    def read(self, photo: Photo) -> bytes:
        """Raises BadPhotos where the file has gone or changed since it was listed."""
        assert self.walk.entry is not None  # noqa: S101 - a folder's has one
        data = self.walk.entry(photo.place).data
        if data is None or sha256(data).hexdigest() != photo.sha256:
            raise BadPhotos(f"{photo.name} has changed while the training ran. Start it again.")
        return data


def list_photos(folder: Path, warn: Callable[[str], None]) -> Photos:
    """The files of all classes; what each is was not looked at yet. Raises BadPhotos and ArchiveRejected."""
    if not folder.is_dir():
        raise BadPhotos(f"There is no folder {folder}.")
    walk = walk_folder(folder)
    found: dict[str, tuple[int, str, str]] = {}  # sha256 -> place, name, class
    for place, entry in enumerate(walk):
        if entry.data is None or entry.class_name is None:
            warn(f"{entry.name}: {entry.reason}")
            continue
        digest = sha256(entry.data).hexdigest()
        _, first, label = found.setdefault(digest, (place, entry.name, entry.class_name))
        if label != entry.class_name:
            warn(f"{entry.name}: the same picture is {first} already; it can be in one class only.")
    labels = sorted({label for _, _, label in found.values()})
    numbers = {label: number for number, label in enumerate(labels)}
    photos = [Photo(name, place, digest, numbers[label]) for digest, (place, name, label) in found.items()]
    return Photos(walk, labels, photos)


def check_classes(photos: Photos, folder: Path, warn: Callable[[str], None]) -> None:
    """Raises BadPhotos where there is too little to train on."""
    if not photos.labels:
        raise BadPhotos(f"No class folders with pictures were found in {folder}.")
    if len(photos.labels) == 1:
        raise BadPhotos(f"Only one class folder was found in {folder}, {photos.labels[0]!r}. At least two are needed.")
    for number, label in enumerate(photos.labels):
        count = sum(photo.label == number for photo in photos.photos)
        if count < SMALLEST_CLASS:
            raise BadPhotos(f"The class {label!r} has {count} pictures. At least {SMALLEST_CLASS} are needed.")
        if count < FEW:
            warn(f"WARNING: The class {label!r} has less than {FEW} pictures, which may cause issues.")


def split_photos(photos: list[Photo], *, validation_percentage: int, testing_percentage: int) -> dict[str, str]:
    """sha256 -> split, from the pictures' content alone: wherever they lie and whatever they are called."""
    samples = [SplitSample(photo.sha256, photo.label) for photo in photos]
    return assign_splits(samples, validation_percentage=validation_percentage, testing_percentage=testing_percentage)
