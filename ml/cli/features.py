"""Compute the features of photos, taking from the bottleneck folder those that are there already."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.backbones.backbone import Backbone
from ml.cli.bottlenecks import Bottlenecks, fill
from ml.cli.console import Console
from ml.cli.photos import BadPhotos, Photo, Photos
from ml.engines.embeddings import embedding_key
from ml.engines.loading import ensure_ready, load_engine
from ml.images.augmentation import Augmentation
from ml.training.head import LabelledFeatures


@dataclass(frozen=True)
class Data:
    """The photos of each split and their features, row by row; augmented copies follow the training photos."""

    photos: dict[str, list[Photo]]
    features: dict[str, NDArray[np.float32]]

    def split(self, name: str, most: int = -1) -> LabelledFeatures:
        """Return a whole split, or its first `most` rows."""
        features = self.features[name]
        labels = np.array([photo.label for photo in self.photos[name]], np.int64)
        rows = slice(None) if most < 0 else slice(most)
        return LabelledFeatures(features[rows], np.tile(labels, len(features) // max(len(labels), 1))[rows])


@dataclass(frozen=True)
class PhotoFeatures:
    """The features of photos by one backbone, stored in a folder and computed if they are missing."""

    folder: Path
    backbone: Backbone
    photos: Photos
    console: Console
    _held: dict[str, NDArray[np.float32]] = field(default_factory=dict)  # read while looking for missing ones

    def ensure(self, photos: list[Photo], augmentation: Augmentation | None = None) -> list[Photo]:
        """Compute the missing features of the photos, or of this augmented copy of them.

        Return the photos that can be read, in their order.
        """
        missing = [photo for photo in photos if self._find(photo, augmentation) is None]
        if missing:
            self._compute(missing, augmentation)
        unreadable = {photo.sha256 for photo in missing if self._find(photo, augmentation) is None}
        return [photo for photo in photos if photo.sha256 not in unreadable]

    def _find(self, photo: Photo, augmentation: Augmentation | None) -> NDArray[np.float32] | None:
        """Return the features, or None if they are missing.

        Those of the photos themselves stay in memory until `load`.
        """
        held = self._held if augmentation is None else {}
        if photo.sha256 not in held:
            vector = self._bottlenecks(augmentation).load(photo.sha256)
            if vector is not None:
                held[photo.sha256] = vector
        return held.get(photo.sha256)

    def _compute(self, missing: list[Photo], augmentation: Augmentation | None) -> None:
        what = f"Bottlenecks of copy {augmentation.number}" if augmentation else "Bottlenecks"
        folder = self.backbone.machine.backbones_dir
        ensure_ready(self.backbone, folder)
        load = partial(load_engine, self.backbone, folder)
        for done in fill(
            self._bottlenecks(augmentation), missing, self.photos.read, load, self.console.warn, augmentation
        ):
            self.console.progress(what, done, len(missing))
        self.console.say(f"{len(missing)} bottleneck files created.")

    def load(self, photos: list[Photo], augmentations: Sequence[Augmentation | None] = (None,)) -> NDArray[np.float32]:
        """Return float32 (V * N, F): the N photos for each of V augmentations in turn; None means the plain photos.

        Raise `BadPhotos` if a file has disappeared meanwhile.
        """
        matrix = np.empty((len(augmentations), len(photos), self.backbone.features), np.float32)
        for block, augmentation in zip(matrix, augmentations, strict=True):
            for row, photo in zip(block, photos, strict=True):
                vector = self._find(photo, augmentation)
                if vector is None:
                    raise BadPhotos(f"The bottleneck file of {photo.name} has disappeared. Start the training again.")
                row[:] = vector
                self._held.pop(photo.sha256, None)
        return matrix.reshape(-1, self.backbone.features)

    def _bottlenecks(self, augmentation: Augmentation | None) -> Bottlenecks:
        return Bottlenecks(self.folder, embedding_key(self.backbone.digest, augmentation), self.backbone.features)
