"""Describe the state of a fine-tuning after an epoch, and pack it as bytes: a checkpoint."""

import io
import json
import zipfile
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ml.training.fine_tuning import PATIENCE, TUNING_VERSION
from ml.training.fine_tuning.network import Arrays

Point = dict[str, float]  # epoch, validation_loss, validation_accuracy and, except for epoch 0, training_loss
_FACTS = "facts"
_LISTS = ("weights", "optimizer", "best")


class CheckpointCorrupt(ValueError):
    """These bytes are not a checkpoint of this version."""


@dataclass(frozen=True)
class TuningState:
    """The state after an epoch, from which the fine-tuning can continue.

    Attributes:
        points: one per finished epoch, after that of epoch 0, which was measured before any training.
        weights: the weights that learn.
        optimizer: the optimiser's variables.
        best: the weights of the epoch with the least validation loss.
    """

    points: list[Point]
    weights: Arrays
    optimizer: Arrays
    best: Arrays

    @property
    def epoch(self) -> int:
        """Return how many epochs are finished."""
        return len(self.points) - 1

    @property
    def best_epoch(self) -> int:
        """Return the first epoch with the least validation loss."""
        losses = [point["validation_loss"] for point in self.points]
        return losses.index(min(losses))

    @property
    def is_stuck(self) -> bool:
        """Return whether validation has not improved for PATIENCE epochs."""
        return self.epoch - self.best_epoch >= PATIENCE

    def after(self, point: Point, weights: Arrays, optimizer: Arrays) -> "TuningState":
        """Return the state one epoch later."""
        later = replace(self, points=[*self.points, point], weights=weights, optimizer=optimizer)
        return replace(later, best=weights) if later.best_epoch == later.epoch else later

    def pack(self) -> bytes:
        """Return the state as an .npz file."""
        facts = {"version": TUNING_VERSION, "points": self.points}
        arrays: dict[str, Any] = {
            f"{name}_{place}": array for name in _LISTS for place, array in enumerate(getattr(self, name))
        }
        arrays[_FACTS] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()


def unpack_state(data: bytes) -> TuningState:
    """Return the state that `pack` wrote. Raise `CheckpointCorrupt` if the bytes cannot be used."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            facts = json.loads(arrays[_FACTS].tobytes())
            if facts["version"] != TUNING_VERSION:
                raise CheckpointCorrupt("It was written by another version.")
            return TuningState(facts["points"], *(_list_of(arrays, name) for name in _LISTS))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointCorrupt(str(error)) from error


def _list_of(arrays: Any, name: str) -> Arrays:
    count = sum(key.startswith(f"{name}_") for key in arrays.files)
    return [arrays[f"{name}_{place}"] for place in range(count)]
