"""Pictures to begin with on an empty site: handwritten digits, and flowers."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from django.conf import settings
from django.contrib.auth.models import User

from classifier.models import Project, Upload
from classifier.services.projects import create_project
from classifier.services.uploads import queue_ingest
from worker.archives import ArchiveEntry, ArchiveWalk

DIGITS, FLOWERS = "digits", "flowers"
SAMPLE_SETS = {
    DIGITS: ("Handwritten digits", "1,797 small pictures of 0 to 9. Nothing is downloaded."),
    FLOWERS: ("Flowers", "3,670 photos of five kinds of flowers. Downloads 218 MB."),
}
DIGIT_SIZE = 112  # from 8 x 8: large enough to look at, small enough to store
DOWNLOAD_TIMEOUT = 30  # seconds without a byte
DOWNLOAD_LIMIT = 2**30
DOWNLOAD_CHUNK = 2**18


class DownloadFailed(Exception):
    """The message is a sentence for the user."""


def start_sample_project(name: str, *, by: User) -> tuple[Project, Upload]:
    """A new project whose pictures an ingest job brings. Raises KeyError for an unknown set."""
    title, _ = SAMPLE_SETS[name]
    project = create_project(title, by=by)
    return project, queue_ingest(project, source=f"Sample pictures: {title}", config={"sample_set": name}, by=by)


def draw_digits() -> ArchiveWalk:
    """The digits that come with scikit-learn (from the UCI repository), as PNG files in ten classes."""
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
    """Fetch the archive into `folder`, calling report(bytes, bytes in all). Raises DownloadFailed."""
    address = settings.FLOWERS_URL
    if not address.startswith(("https://", "http://")):
        raise DownloadFailed(f"FLOWERS_URL={address} is not a web address.")
    request = Request(address, headers={"User-Agent": "PoetsWeb"})  # noqa: S310 - the operator's setting
    try:
        with (
            urlopen(request, timeout=DOWNLOAD_TIMEOUT) as response,  # noqa: S310
            tempfile.NamedTemporaryFile(dir=folder, suffix=".tgz", delete=False) as out,
        ):
            total = int(response.headers.get("Content-Length") or 0)
            received = 0
            while chunk := response.read(DOWNLOAD_CHUNK):
                out.write(chunk)
                received += len(chunk)
                if received > DOWNLOAD_LIMIT:
                    raise DownloadFailed("The download is larger than 1 GB and was stopped.")
                report(received, max(total, received))
    except (URLError, OSError, ValueError) as error:
        raise DownloadFailed(
            f"The flowers could not be downloaded from {address} ({error}). Check this machine's connection "
            "and try again, or choose the handwritten digits, which need none."
        ) from None
    if total and received < total:
        raise DownloadFailed("The download broke off. Please try again.")
    return Path(out.name)
