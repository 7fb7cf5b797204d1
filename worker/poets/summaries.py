"""Event files for TensorBoard, without TensorBoard: records as TensorFlow writes them."""

import os
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Summaries:
    """One run: a folder with an event file. Other files in it are left alone, unlike in the original."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self._writer = tf.io.TFRecordWriter(str(folder / name))
        self._write(file_version="brain.Event:2")

    def add(self, step: int, scalars: dict[str, float], histograms: dict[str, NDArray[Any]]) -> None:
        from tensorflow.core.framework.summary_pb2 import Summary

        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        values += [Summary.Value(tag=tag, histo=_histogram(array)) for tag, array in histograms.items()]
        self._write(step=step, summary=Summary(value=values))

    def close(self) -> None:
        self._writer.close()

    def _write(self, **content: Any) -> None:
        from tensorflow.core.util.event_pb2 import Event

        self._writer.write(Event(wall_time=time.time(), **content).SerializeToString())


def _histogram(array: NDArray[Any]) -> Any:
    from tensorflow.core.framework.summary_pb2 import HistogramProto

    numbers = np.asarray(array, np.float64).ravel()
    counts, edges = np.histogram(numbers, bins=30)
    return HistogramProto(
        min=numbers.min(),
        max=numbers.max(),
        num=numbers.size,
        sum=numbers.sum(),
        sum_squares=np.square(numbers).sum(),
        bucket_limit=edges[1:],
        bucket=counts,
    )
