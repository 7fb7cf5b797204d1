"""Pictures to begin with on an empty site: handwritten digits, and flowers."""

import io
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User

from classifier.models import Project, Upload
from classifier.services.projects import create_project
from classifier.services.uploads import queue_ingest
from ml.datasets.archives import ArchiveEntry, ArchiveWalk
from ml.download import download

DIGITS, FLOWERS = "digits", "flowers"
SAMPLE_SETS = {
    DIGITS: ("Handwritten digits", "1,797 small pictures of 0 to 9. Nothing is downloaded."),
    FLOWERS: ("Flowers", "3,670 photos of five kinds of flowers. This downloads 218 MB."),
}
DIGIT_SIZE = 112  # from 8 x 8: large enough to look at, small enough to store
DOWNLOAD_LIMIT = 2**30


def start_sample_project(name: str, *, by: User) -> tuple[Project, Upload]:
    """Create a project whose pictures an ingest job adds. Raise KeyError for an unknown set."""
    title, _ = SAMPLE_SETS[name]
    project = create_project(title, by=by)
    return project, queue_ingest(project, source=f"Sample pictures: {title}", config={"sample_set": name}, by=by)


def draw_digits() -> ArchiveWalk:
    """Draw the digits that come with scikit-learn (from the UCI repository) as PNG files in ten classes."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()

    def draw(number: int) -> ArchiveEntry:
        label = str(digits.target[number])
        grey = Image.fromarray((255 - digits.images[number] * 255 / 16).astype("uint8"))  # dark ink, as on paper
        buffer = io.BytesIO()
        grey.resize((DIGIT_SIZE, DIGIT_SIZE), Image.Resampling.BICUBIC).save(buffer, "PNG")
        name = f"{label}/digit-{number:04}.png"
        return ArchiveEntry(name=name, class_name=label, data=buffer.getvalue(), reason=None)

    return ArchiveWalk.of_any_order(len(digits.target), draw)


def download_flowers(folder: Path, report: Callable[[int, int], None]) -> Path:
    """Fetch the archive into `folder`, calling report(bytes, bytes in all). Raise DownloadFailed."""
    target = folder / "flower_photos.tgz"
    otherwise = "Or choose the handwritten digits, which need no download."
    download(settings.FLOWERS_URL, target, report, what="The flowers", limit=DOWNLOAD_LIMIT, otherwise=otherwise)
    return target
