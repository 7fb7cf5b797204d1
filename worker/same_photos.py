"""Find samples that show the same photo, once their embeddings are there, and put them into one group."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from classifier.jobs import lifecycle, reporting
from classifier.models import Job, Sample
from classifier.models.image import image_path
from classifier.outages import raise_outage
from classifier.services import embeddings
from classifier.services.groups import join_samples, list_comparable
from classifier.services.images import read_file
from ml.backbones.backbone import Backbone
from ml.engines.embeddings import embedding_key
from ml.images.decoding import ImageRejected, load_picture
from ml.images.likeness import SKETCH, make_sketch
from ml.images.near_duplicates import find_near_duplicates
from ml.machine import CORES
from worker.throttle import Throttle

CACHED_WHILE_COMPARING, CACHED = 20_000, 4000  # sketches, of 4 KB each
Sketch = NDArray[np.uint8]  # (SKETCH, SKETCH)

_BLACK: Sketch = np.zeros((SKETCH, SKETCH), np.uint8)
_DRAWN_AT_ONCE = 64
_SLICE = 5000


def compare_pictures(job: Job, backbone: Backbone, *, least: int = 1, share: float = 0.0) -> None:
    """Compare the samples that have not been compared with all others of the project. Raise LeaseLost.

    Do nothing if they are fewer than `least` or than this share of all: what each call costs grows with all of them.
    """
    key = embedding_key(backbone.digest)
    rows = list(list_comparable(job.own_project, key).values_list("pk", "image__sha256", "is_compared"))
    new = [place for place, (_, _, is_compared) in enumerate(rows) if not is_compared]
    if len(new) < max(least, share * len(rows)):
        return
    reporting.enter_stage(job, "compare", total=len(new))
    sha256s = [sha256 for _, sha256, _ in rows]
    features = embeddings.load_embeddings(sha256s, [key], backbone.features)
    beat = partial(lifecycle.beat, job)
    try:
        with ThreadPoolExecutor(CORES, thread_name_prefix="sketch") as pool:
            for pairs in find_near_duplicates(features, new, _Sketches(sha256s, pool, beat).draw):
                if pairs:
                    join_samples(job.own_project, [(rows[first][0], rows[second][0]) for first, second in pairs])
                beat()
    finally:
        _cache.shrink()
    for start in range(0, len(new), _SLICE):
        done = [rows[place][0] for place in new[start : start + _SLICE]]
        Sample.objects.filter(pk__in=done).update(is_compared=True)


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
        """Call `alive` between the pictures, several times a second; what it raises ends the drawing."""
        self._sha256s, self._pool, self._alive = sha256s, pool, alive
        self._throttle = Throttle()

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
            if self._throttle.due():  # a training that was asked for meanwhile does the same work, and needs the cores
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
