"""Find samples that show the same photo, once their embeddings are there, and put them into one group."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from classifier.jobs import lifecycle, reporting
from classifier.models import Job, Sample
from classifier.models.image import image_path
from classifier.outages import raise_outage
from classifier.services import embeddings
from classifier.services.custom_backbones import find_backbone
from classifier.services.groups import join_samples, list_comparable
from classifier.services.images import read_file
from ml.backbones.backbone import Backbone
from ml.engines.embeddings import embedding_key
from ml.images.decoding import ImageRejected, load_picture
from ml.images.likeness import SKETCH, make_sketch
from ml.images.near_duplicates import Pair, find_near_duplicates
from ml.machine import CORES
from worker.throttle import Throttle

CACHED_WHILE_COMPARING, CACHED = 20_000, 4000  # sketches, of 4 KB each
Sketch = NDArray[np.uint8]  # (SKETCH, SKETCH)

_BLACK: Sketch = np.zeros((SKETCH, SKETCH), np.uint8)
_DRAWN_AT_ONCE = 16
_SLICE = 5000


def find_same_photos(job: Job) -> None:
    """Compare the pictures of a project that have come, while others are being embedded."""
    compare_pictures(job, find_backbone(job.config["backbone"]))
    lifecycle.finish_job(job)


def compare_pictures(job: Job, backbone: Backbone) -> None:
    """Compare the samples that have not been compared with all others of the project. Raise LeaseLost."""
    key = embedding_key(backbone.digest)
    rows = list(list_comparable(job.own_project, key).values_list("pk", "image__sha256", "is_compared"))
    new = [place for place, (_, _, is_compared) in enumerate(rows) if not is_compared]
    if not new:
        return
    reporting.enter_stage(job, "compare", total=len(new))
    sha256s = [sha256 for _, sha256, _ in rows]
    features = embeddings.load_embeddings(sha256s, [key], backbone.features)
    found = list(_find_pairs(job, features, new, sha256s))
    for start in range(0, len(found), _SLICE):
        join_samples(job.own_project, [(rows[a][0], rows[b][0]) for a, b in found[start : start + _SLICE]])
    for start in range(0, len(new), _SLICE):
        done = [rows[place][0] for place in new[start : start + _SLICE]]
        Sample.objects.filter(pk__in=done).update(is_compared=True)


def _find_pairs(job: Job, features: NDArray[np.float32], new: Sequence[int], sha256s: Sequence[str]) -> Iterator[Pair]:
    throttle = Throttle()

    def alive() -> None:  # often, as a training that was asked for meanwhile needs the cores for the same work
        if throttle.due():
            lifecycle.beat(job)

    try:
        with ThreadPoolExecutor(CORES, thread_name_prefix="sketch") as pool:
            for pairs in find_near_duplicates(features, new, _Sketches(sha256s, pool, alive).draw):
                yield from pairs
                alive()
    finally:
        _cache.shrink()


class _SketchCache:
    """Sketches by sha256, kept by the process: pictures that come are compared with the same ones again and again."""

    def __init__(self) -> None:
        self._lock = Lock()  # one thread compares in the background, another for a training
        self._sketches: LRUCache[str, Sketch] = LRUCache(CACHED_WHILE_COMPARING)

    def find(self, sha256s: Iterable[str]) -> dict[str, Sketch]:
        with self._lock:
            return {sha256: self._sketches[sha256] for sha256 in sha256s if sha256 in self._sketches}

    def add(self, sketches: Mapping[str, Sketch]) -> None:
        with self._lock:
            self._sketches.update(sketches)

    def shrink(self) -> None:
        with self._lock:
            while len(self._sketches) > CACHED:
                self._sketches.popitem()  # which was needed least recently


_cache = _SketchCache()


class _Sketches:
    """The sketches of pictures, drawn when they are first needed."""

    def __init__(
        self, sha256s: Sequence[str], pool: ThreadPoolExecutor, alive: Callable[[], None] = lambda: None
    ) -> None:
        """Call `alive` between the pictures; what it raises ends the drawing."""
        self._sha256s, self._pool, self._alive = sha256s, pool, alive

    def draw(self, places: Sequence[int]) -> NDArray[np.uint8]:
        """Return the sketches (P, SKETCH, SKETCH) of the pictures at these places; what cannot be read is black."""
        wanted = [self._sha256s[place] for place in places]
        found = _cache.find(wanted)
        missing = [sha256 for sha256 in dict.fromkeys(wanted) if sha256 not in found]
        for start in range(0, len(missing), _DRAWN_AT_ONCE):
            names = missing[start : start + _DRAWN_AT_ONCE]
            pairs = zip(names, self._pool.map(_draw, names), strict=True)
            drawn = {sha256: sketch for sha256, sketch in pairs if sketch is not None}  # the others may come again
            _cache.add(drawn)
            found |= drawn
            self._alive()
        return np.stack([found.get(sha256, _BLACK) for sha256 in wanted])


def _draw(sha256: str) -> Sketch | None:
    try:
        return make_sketch(load_picture(read_file(image_path(sha256)), SKETCH))
    except OSError as error:
        raise_outage(error)  # otherwise it was deleted meanwhile, or the training that meets it says so
    except ImageRejected:
        pass
    return None
