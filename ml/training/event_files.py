"""Write event files for TensorBoard without TensorBoard, as records in TensorFlow's format.

The tags are those of the original TensorFlow for Poets, so that old and new runs can be compared in one chart.

tensorboardX would write them in a thread; once that thread has failed, on a full disk, the training waits for it
forever. TensorFlow raises an error instead.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.training.head import Head, LabelledFeatures, StepCallback

BUCKETS = 30
# How many pictures, evenly spaced, the training accuracy is measured on; the original takes a batch of a hundred.
MAX_TRAINING_PICTURES = 2000
# All points up to this number are written; later ones ever further apart, about 150 of ten thousand.
EVERY_POINT_UNTIL = 20


class EventFile:
    """A run: a folder with an event file. Unlike in the original, other files in the folder are kept."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self._writer = tf.io.TFRecordWriter(str(folder / name))
        self._write(file_version="brain.Event:2")

    def add(self, step: int, scalars: dict[str, float], histograms: dict[str, Any]) -> None:
        """Add scalars and histograms (TensorFlow's HistogramProto), both by tag, at a step."""
        from tensorflow.core.framework.summary_pb2 import Summary

        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        values += [Summary.Value(tag=tag, histo=histogram) for tag, histogram in histograms.items()]
        self._write(step=step, summary=Summary(value=values))

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _write(self, **content: Any) -> None:
        from tensorflow.core.util.event_pb2 import Event

        self._writer.write(Event(wall_time=time.time(), **content).SerializeToString())


def measure(head: Head, split: LabelledFeatures) -> tuple[float, float]:
    """Return (accuracy, mean cross-entropy in nats) of a head on a split."""
    with np.errstate(all="ignore"):  # a diverged training should be visible, too
        probabilities = head.probabilities(split.features)
    right = probabilities[np.arange(len(split.labels)), split.labels].astype(np.float64)
    entropy = float(-np.log(np.maximum(right, 1e-38)).mean())
    return float(np.mean(probabilities.argmax(axis=1) == split.labels)), entropy


def add_point(
    runs: dict[str, EventFile],
    splits: dict[str, LabelledFeatures],
    step: int,
    head: Head,
    known: Mapping[str, tuple[float, float]] = MappingProxyType({}),
    **scalars: float,
) -> dict[str, tuple[float, float]]:
    """Write what the original writes at a step, and return (accuracy, mean cross-entropy in nats) for each run.

    That is the accuracy and cross-entropy of the head on each run's split, further scalars by name, and the
    distribution of the head's weights and biases. What is `known` of a split is not measured.
    """
    lie, histograms = _describe_head(head)
    measured = {name: known.get(name) or measure(head, split) for name, split in splits.items()}
    for name, (accuracy, entropy) in measured.items():
        runs[name].add(step, {"accuracy_1": accuracy, "cross_entropy_1": entropy, **scalars, **lie}, histograms)
    return measured


def _describe_head(head: Head) -> tuple[dict[str, float], dict[str, Any]]:
    """Return scalars and histograms of the head's arrays under the original's tags, without arrays that are not finite.

    In the original, `stddev` is a name scope for the computation, so the scalar is `stddev_1`.
    """
    scalars, histograms = {}, {}
    for name, array in (("weights", head.weights), ("biases", head.bias)):
        if np.isfinite(array).all():
            scope = f"final_training_ops/{name}/summaries"
            scalars[f"{scope}/mean"] = float(array.mean())
            scalars[f"{scope}/stddev_1"] = float(array.std())
            scalars[f"{scope}/max"] = float(array.max())
            scalars[f"{scope}/min"] = float(array.min())
            histograms[f"{scope}/histogram"] = _histogram(array)
    return scalars, histograms


class TrainingEventFiles:
    """The runs `train`, `validation` and `test` of one training, as subfolders of a folder.

    A training does not need them, so no error gets out: the first one is kept, and nothing is written from then on.
    """

    def __init__(self, folder: Path) -> None:
        self.error: Exception | None = None
        self._folder = folder
        self._runs: dict[str, EventFile] = {}
        self._last_step = 0

    def watch(self, training: LabelledFeatures, validation: LabelledFeatures) -> StepCallback:
        """Return a callback for `train_head` that writes points of the curve, ever fewer as the training goes on."""
        stride = -(-len(training.labels) // MAX_TRAINING_PICTURES)
        some = LabelledFeatures(training.features[::stride], training.labels[::stride])
        splits = {"train": some} | ({"validation": validation} if len(validation.labels) else {})
        seen = due = 0

        def look(
            step: int,
            head: Head,
            *,
            is_last: bool = False,
            validated: tuple[float, float] | None = None,
            **scalars: float,
        ) -> None:
            nonlocal seen, due
            self._last_step = step
            if seen >= due or is_last:
                due = seen + 1 + seen // EVERY_POINT_UNTIL
                known = {} if validated is None else {"validation": validated}
                self._try(
                    lambda: add_point({name: self._run(name) for name in splits}, splits, step, head, known, **scalars)
                )
            seen += 1

        return look

    def show_test(self, accuracy: float | None) -> None:
        """Write the accuracy on the test split once the head is chosen; None means that there are no test pictures."""
        if accuracy is not None:
            self._try(lambda: self._run("test").add(self._last_step, {"accuracy_1": accuracy}, {}))

    def close(self) -> None:
        """Close all files."""
        for run in self._runs.values():
            try:
                run.close()
            except Exception as error:  # the file system's, or TensorFlow's for it
                self.error = self.error or error

    def _try(self, write: Callable[[], object]) -> None:
        if self.error is None:
            try:
                write()
            except Exception as error:  # TensorFlow has its own for a full disk
                self.error = error

    def _run(self, name: str) -> EventFile:
        if name not in self._runs:
            self._runs[name] = EventFile(self._folder / name)
        return self._runs[name]


def _histogram(array: NDArray[Any]) -> Any:
    from tensorflow.core.framework.summary_pb2 import HistogramProto

    numbers = np.asarray(array, np.float64).ravel()
    counts, edges = np.histogram(numbers, bins=BUCKETS)
    return HistogramProto(
        min=numbers.min(),
        max=numbers.max(),
        num=numbers.size,
        sum=numbers.sum(),
        sum_squares=np.square(numbers).sum(),
        bucket_limit=edges[1:],
        bucket=counts,
    )
