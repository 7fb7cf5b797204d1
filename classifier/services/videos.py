"""videos among files -> frames, which are taken in as pictures."""

from collections.abc import Callable, Iterable, Iterator

from django.conf import settings

from classifier.models import Upload
from ml.datasets.archives import ArchiveEntry
from ml.videos.frames import Sampling, count_files, with_frames
from ml.videos.limits import DEFAULT_RATE

REQUEST_SECONDS = 30.0  # for all videos of a request, while whoever sent them waits
JOB_SECONDS = 600.0  # for each video


def frames_in_request(entries: Iterable[ArchiveEntry], rate: float | None = None) -> Iterator[ArchiveEntry]:
    """Yield the files of a request, and the frames of the videos among them."""
    return with_frames(entries, _sample(rate, seconds=REQUEST_SECONDS, each=False))


def frames_in_job(
    entries: Iterable[ArchiveEntry],
    rate: float | None = None,
    *,
    alive: Callable[[], None] = lambda: None,
    skip: int = 0,
) -> Iterator[ArchiveEntry]:
    """Yield the files, and the frames of the videos among them, without the first `skip` of the first file.

    `alive` is called while a video is read; what it raises ends that.
    """
    return with_frames(entries, _sample(rate, seconds=JOB_SECONDS, each=True, alive=alive), skip=skip)


def _sample(rate: float | None, *, seconds: float, each: bool, alive: Callable[[], None] = lambda: None) -> Sampling:
    return Sampling(
        rate or DEFAULT_RATE, seconds, each, settings.IMAGE_LIMITS.max_bytes, settings.FILE_UPLOAD_TEMP_DIR, alive
    )


def find_position(upload: Upload) -> tuple[int, int]:
    """Return how many files a worker that died has finished, and how many frames of the next one are in the report."""
    files, frames = count_files(upload.items.order_by("pk").values_list("file_name", flat=True).iterator())
    return files - bool(frames), frames
