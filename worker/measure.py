"""Measure pictures as they are decoded for their embeddings, and those that were embedded before that was done."""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from classifier.jobs import reporting
from classifier.models import Image, Job
from classifier.outages import raise_outage
from classifier.services.images import read_picture
from classifier.services.measures import list_measured, list_unmeasured, store_measures
from ml.audit.measures import Measures, Pixels, measure_picture
from ml.images.decoding import ImageRejected, load_picture
from ml.machine import CORES

AT_ONCE = 128  # pictures whose rows are written together
SIZE = 224  # pixels of the square, as most backbones see it


class MeasuredPictures:
    """Measures of pictures, from the thread that decodes them to the one that writes to the database.

    Those that another backbone has met already are not measured again.
    """

    def __init__(self, images: Mapping[str, Image]) -> None:
        known = list_measured([image.pk for image in images.values()])
        self._images = {sha256: image for sha256, image in images.items() if image.pk not in known}
        self._found: deque[tuple[int, Measures]] = deque()

    def __call__(self, sha256: str, data: bytes, picture: Pixels) -> None:
        """Measure a picture that was decoded."""
        if sha256 in self._images:
            self._found.append((self._images[sha256].pk, measure_picture(picture, data)))

    def store(self) -> None:
        """Keep what has been measured since the last time."""
        # One by one: the thread that measures may be about to add to what would be taken as a whole.
        found = [self._found.popleft() for _ in range(len(self._found))]
        if found:
            store_measures(found)


def measure_rest(job: Job) -> None:
    """Measure the pictures of the job's project that have not been measured yet. Raise LeaseLost."""
    images = list(list_unmeasured(job.own_project))
    if not images:
        return
    reporting.enter_stage(job, "measure", total=len(images))
    with ThreadPoolExecutor(CORES, thread_name_prefix="measure") as pool:
        for start in range(0, len(images), AT_ONCE):
            part = images[start : start + AT_ONCE]
            found = zip(part, pool.map(_measure, part), strict=True)
            store_measures((image.pk, measures) for image, measures in found if measures is not None)
            reporting.report(job, done=start + len(part))


def _measure(image: Image) -> Measures | None:
    try:
        data = read_picture(image)
        return measure_picture(load_picture(data, SIZE), data)
    except OSError as error:
        raise_outage(error)  # otherwise it is missing, which the training that meets it says
    except ImageRejected:
        pass
    return None
