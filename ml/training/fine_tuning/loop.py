"""Run the epochs of fine-tuning, stop when validation no longer improves, and keep the weights that were best on it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ml.backbones.backbone import Backbone
from ml.datasets.dataset import Dataset
from ml.datasets.splits import TRAINING, VALIDATION
from ml.training.config import TrainConfig
from ml.training.fine_tuning.network import TunableNetwork
from ml.training.fine_tuning.pictures import BATCH, PictureFeed, Wanted
from ml.training.fine_tuning.state import CheckpointCorrupt, Point, TuningState, unpack_state
from ml.training.head import Floats, Head, TrainingDiverged, measure_point
from ml.training.stopping import StopTraining


class Watch(Protocol):
    """An observer of the fine-tuning.

    If `shown` raises `StopTraining`, the fine-tuning ends with the best epoch so far; whatever else the methods raise
    stops the work.
    """

    def begin(self, pictures: int) -> None:
        """Learn how many training pictures will be shown at most."""

    def shown(self, pictures: int) -> None:
        """Learn how many training pictures have been shown so far.

        It is called after every batch, also after those of validation, which are not counted.
        """

    def epoch_ended(self, points: list[Point], checkpoint: Callable[[], bytes]) -> None:
        """Learn the points of all epochs so far; `checkpoint()` returns bytes from which `fine_tune` can continue."""


@dataclass(frozen=True)
class Tuned:
    """The result of a fine-tuning.

    Attributes:
        network: the backbone's keras.Model with the weights of the best epoch.
        head: the head of that epoch.
        points: the curve, one point per epoch.
        best_epoch: the epoch with the least validation loss; 0 stands for the state before the first.
    """

    network: Any
    head: Head
    points: list[Point]
    best_epoch: int

    @property
    def helped(self) -> bool:
        """Return whether fine-tuning improved on the trained head."""
        return self.best_epoch > 0


def fine_tune(
    backbone: Backbone,
    head: Head,
    dataset: Dataset,
    config: TrainConfig,
    *,
    read: Callable[[str], bytes],
    watch: Watch,
    checkpoint: bytes | None = None,
) -> Tuned:
    """Train backbone and head together on the training pictures, starting from the trained `head`.

    Each epoch shows every training picture once, as it is or as one of `config.augmentations`, drawn anew each time.
    All classes have the same weight, however many pictures they have, as in the training of the head. `read` returns
    the file with a sha256. A checkpoint that cannot be used is ignored.

    Import TensorFlow. Raise `TrainingDiverged`, and whatever `read` and `watch` raise.
    """
    extent, rate = config.fine_tuning, config.fine_tuning_rate
    network = TunableNetwork(backbone, head, extent=extent, rate=rate)
    with PictureFeed(read, backbone.input_size) as feed:
        run = _Run(network, feed, dataset, config, watch)
        state = (checkpoint and _resume(network, checkpoint)) or run.start()
        state = run.go_on(state)
    network.write_weights(state.best)
    return Tuned(network.features, network.head, state.points, state.best_epoch)


def _resume(network: TunableNetwork, checkpoint: bytes) -> TuningState | None:
    try:
        state = unpack_state(checkpoint)
        network.write_optimizer(state.optimizer)
        network.write_weights(state.weights)
    except (CheckpointCorrupt, ValueError):
        return None
    return state


class _Run:
    def __init__(
        self, network: TunableNetwork, feed: PictureFeed, dataset: Dataset, config: TrainConfig, watch: Watch
    ) -> None:
        self.network, self.feed, self.config, self.watch = network, feed, config, watch
        self.sha256s, self.labels = dataset.sha256s(TRAINING), dataset.labels(TRAINING)
        self.weights = balanced_weights(self.labels, len(dataset.classes))
        self.held_out: list[Wanted] = [(sha256, None) for sha256 in dataset.sha256s(VALIDATION)]
        self.held_out_labels = dataset.labels(VALIDATION)
        self.done = 0  # training pictures shown, since this process began

    def start(self) -> TuningState:
        weights = self.network.read_weights()
        return TuningState([self._measure(0)], weights, self.network.read_optimizer(), weights)

    def go_on(self, state: TuningState) -> TuningState:
        self.watch.begin((self.config.fine_tuning_epochs - state.epoch) * len(self.sha256s))
        while state.epoch < self.config.fine_tuning_epochs and not state.is_stuck:
            try:
                loss = self._show_all(state.epoch + 1)
                point = self._measure(state.epoch + 1, loss)
            except StopTraining:
                break  # the best epoch so far is in the state
            state = state.after(point, self.network.read_weights(), self.network.read_optimizer())
            self.watch.epoch_ended(state.points, state.pack)
        return state

    def _show_all(self, epoch: int) -> float:
        """Show every training picture once, and return the mean loss.

        Order and augmentations depend on seed and epoch only, so that an epoch after a resumption is the same as it
        would have been without the interruption.
        """
        rng = np.random.default_rng([self.config.seed, epoch])
        order = rng.permutation(len(self.sha256s))
        augmentations = [None, *self.config.augmentations]
        drawn = rng.integers(len(augmentations), size=len(order))
        wanted: list[Wanted] = [
            (self.sha256s[row], augmentations[augmentation]) for row, augmentation in zip(order, drawn, strict=True)
        ]
        total = 0.0
        for number, pictures in enumerate(self.feed.batches(wanted)):
            rows = order[number * BATCH : number * BATCH + len(pictures)]
            # Divided by the size of a full batch, so that pictures in the last, smaller batch weigh no more.
            total += self.network.step(pictures, self.labels[rows], self.weights[rows] / np.float32(BATCH)) * BATCH
            self.done += len(pictures)
            self.watch.shown(self.done)
        if not np.isfinite(total):
            raise TrainingDiverged("The fine-tuning diverged. Choose a smaller fine-tuning learning rate.")
        return total / len(order)

    def _measure(self, epoch: int, training_loss: float | None = None) -> Point:
        """Measure loss and accuracy on the validation split."""
        logits = []
        for pictures in self.feed.batches(self.held_out):
            logits.append(self.network.logits(pictures))
            self.watch.shown(self.done)
        point = measure_point(epoch, training_loss or 0.0, np.concatenate(logits), self.held_out_labels)
        left_out = ("step",) if training_loss is not None else ("step", "training_loss")
        return {"epoch": epoch, **{name: value for name, value in point.items() if name not in left_out}}


def balanced_weights(labels: Any, classes: int) -> Floats:
    """Return the weight of each picture, float32 (N,) with mean 1, so that all classes with pictures weigh the same."""
    counts = np.bincount(labels, minlength=classes)
    return np.asarray(len(labels) / (counts[labels] * np.count_nonzero(counts)), np.float32)
