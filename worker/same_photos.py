"""Find samples that show the same photo, once their embeddings are there, and put them into one group."""

from collections.abc import Sequence

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from classifier.jobs import lifecycle
from classifier.models import Job, Sample
from classifier.services import embeddings
from classifier.services.groups import join_samples, list_compared
from ml.backbones.backbone import Backbone
from ml.engines.embeddings import embedding_key
from ml.errors import Conflict, Refused
from ml.images.decoding import load_picture
from ml.images.likeness import SKETCH, make_sketch
from ml.images.near_duplicates import find_near_duplicates
from worker.features import read_picture_file
from worker.throttle import Throttle

SKETCHES_HELD = 20_000  # 4 KB each
_DRAWN = 2 * SKETCH  # pixels at which a picture is decoded for its sketch
_SLICE = 5000


def compare_pictures(job: Job, backbone: Backbone) -> None:
    """Compare the samples that have not been compared with all others of the project. Raise LeaseLost."""
    rows = list(list_compared(job.own_project).values_list("pk", "image__sha256", "is_compared"))
    new = [place for place, (_, _, is_compared) in enumerate(rows) if not is_compared]
    if not new:
        return
    lifecycle.enter_stage(job, "compare", total=len(new))
    sha256s = [sha256 for _, sha256, _ in rows]
    features = embeddings.load_embeddings(sha256s, [embedding_key(backbone.digest)], backbone.features)
    throttle, sketches = Throttle(), _Sketches(sha256s)
    for pairs in find_near_duplicates(features, new, sketches.draw):
        if pairs:
            join_samples(job.own_project, [(rows[first][0], rows[second][0]) for first, second in pairs])
        if throttle.due():
            lifecycle.beat(job)
    for start in range(0, len(new), _SLICE):
        done = [rows[place][0] for place in new[start : start + _SLICE]]
        Sample.objects.filter(pk__in=done).update(is_compared=True)


class _Sketches:
    """The sketches of pictures, drawn when they are first needed."""

    def __init__(self, sha256s: Sequence[str]) -> None:
        self._sha256s = sha256s
        self._held: LRUCache[int, NDArray[np.uint8]] = LRUCache(SKETCHES_HELD)

    def draw(self, places: Sequence[int]) -> NDArray[np.uint8]:
        """Return the sketches (P, SKETCH, SKETCH) of the pictures at these places."""
        return np.stack([self._one(place) for place in places])

    def _one(self, place: int) -> NDArray[np.uint8]:
        if place not in self._held:
            self._held[place] = _draw(self._sha256s[place])
        return self._held[place]


def _draw(sha256: str) -> NDArray[np.uint8]:
    try:
        return make_sketch(load_picture(read_picture_file(sha256), _DRAWN))
    except (Refused, Conflict):  # unreadable, which the training that meets it says, or deleted meanwhile
        return np.zeros((SKETCH, SKETCH), np.uint8)
