"""Turn pictures into features with LiteRT, which needs no TensorFlow and loads in 0.03 s.

LiteRT writes one harmless line about XNNPACK to stderr when a process loads its first interpreter.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from ml.images.rendering import Framing


class Embedder(Protocol):
    """The interface of an engine, which is all that the rest of the product knows about it."""

    @property
    def input_size(self) -> int:
        """Return the width and height of a picture in pixels (S)."""

    @property
    def features(self) -> int:
        """Return how many numbers there are per picture (F)."""

    @property
    def framing(self) -> Framing:
        """Return how pictures are made square for it."""

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the float32 features (N, F) of uint8 RGB pictures 0..255 of shape (N, S, S, 3)."""


@dataclass(frozen=True)
class Adapter:
    """The numbers that a network somebody added needs before its input and after its output."""

    scale: float = 1.0  # what goes in is pixel * scale + offset
    offset: float = 0.0
    logarithm: bool = False  # what comes out are probabilities; their logarithms are wanted
    one_output: bool = False  # what comes out is the one score of two classes: p of (1 - p, p), or z of (0, z)


AS_IT_IS = Adapter()
SMALLEST = 1e-12  # of a probability, before its logarithm


class LiteRTEngine:
    """One LiteRT interpreter behind a lock, because an interpreter serves one thread at a time.

    `invoke` releases the GIL, so other threads continue meanwhile, and two engines in two threads do nearly twice the
    work of one (126 against 69 images/s with EfficientNet-Lite0 on two cores; two processes do 138).
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 1,
        adapter: Adapter = AS_IT_IS,
        framing: Framing = Framing.WHOLE,
        prepare: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """Load a converted backbone.

        Args:
            path: what `ensure_tflite` returned.
            threads: processor cores for one call; more engines with one thread each give more images/s.
            adapter: for networks that do not take pixels and give features by themselves.
            framing: how its pictures are made square; whoever loads them asks.
            prepare: changes the file's content, which then stays in memory.

        Raise `ValueError` if the file cannot be opened or is not a LiteRT model.
        """
        self.framing, self._lock = framing, threading.Lock()
        self._interpreter = _load(path, threads, prepare)
        source, target = self._interpreter.get_input_details()[0], self._interpreter.get_output_details()[0]
        self._input, self._output = int(source["index"]), int(target["index"])
        self._table = None if adapter == AS_IT_IS and source["dtype"] == np.float32 else _table(adapter, source)
        self._finish = _finishing(adapter, target)
        self.input_size = int(source["shape"][1])
        self.features = 2 if adapter.one_output else int(target["shape"][-1])
        # EfficientNet-Lite0, images/s by batch 1, 2, 4, 8, 16, 32. One thread: 69 69 70 65 64 71, so a batch
        # only costs memory (6 MB per picture). Two threads: 106 119 125 134 118 128, so eight.
        # A network that somebody added may have a fixed batch of one.
        self._batch = 1 if threads == 1 or self._table is not None else 8
        self._allocated = 0  # the batch the interpreter has room for

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features of pictures. With one thread each is run by itself, whatever else is in the call.

        Args:
            pictures: uint8 RGB 0..255 of shape (N, S, S, 3) with S = `input_size`; N may be 0.

        Return float32 of shape (N, F). Raise `ValueError` for another shape or dtype.
        """
        self._check(pictures)
        features = np.empty((len(pictures), self.features), dtype=np.float32)
        for start in range(0, len(pictures), self._batch):
            part = slice(start, start + self._batch)
            # Held per batch, so that a web request need not wait for a long call to end.
            with self._lock:
                features[part] = self._run(pictures[part])
        return features

    def _check(self, pictures: Any) -> None:
        if not isinstance(pictures, np.ndarray) or pictures.dtype != np.uint8:
            raise ValueError(f"Pictures must be a uint8 array, not {getattr(pictures, 'dtype', type(pictures))}.")
        if pictures.shape[1:] != (self.input_size, self.input_size, 3):
            wanted = f"(N, {self.input_size}, {self.input_size}, 3)"
            raise ValueError(f"Pictures must have the shape {wanted}, not {pictures.shape}.")

    def _run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        if len(batch) != self._allocated:
            self._interpreter.resize_tensor_input(self._input, batch.shape)
            self._interpreter.allocate_tensors()
            self._allocated = len(batch)
        # Written straight into the interpreter's memory, as float32; no name may keep that view alive.
        self._interpreter.tensor(self._input)()[...] = batch if self._table is None else self._table[batch]
        self._interpreter.invoke()
        features: NDArray[np.float32] = self._finish(self._interpreter.get_tensor(self._output))
        return features


def _table(adapter: Adapter, source: dict[str, Any]) -> NDArray[Any]:
    """Return what each of the 256 pixel values becomes, in the dtype of the network's input."""
    wanted = np.arange(256, dtype=np.float64) * adapter.scale + adapter.offset
    if source["dtype"] == np.float32:
        return wanted.astype(np.float32)
    scale, zero = source["quantization"]
    bounds = np.iinfo(source["dtype"])
    whole = np.rint(wanted / scale + zero) if scale else wanted
    return np.clip(whole, bounds.min, bounds.max).astype(source["dtype"])


def _finishing(adapter: Adapter, target: dict[str, Any]) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """Return a function from the network's output to float32 features."""
    scale, zero = target["quantization"]

    def finish(found: NDArray[Any]) -> NDArray[np.float32]:
        if found.dtype != np.float32:
            found = (found.astype(np.float32) - zero) * (scale or 1.0)
        if adapter.one_output:
            found = np.concatenate([1 - found if adapter.logarithm else np.zeros_like(found), found], axis=1)
        return np.log(np.maximum(found, SMALLEST, dtype=np.float32)) if adapter.logarithm else found

    return finish


def _load(path: Path, threads: int, prepare: Callable[[bytes], bytes] | None) -> Any:
    try:
        if prepare is not None:
            return Interpreter(model_content=prepare(path.read_bytes()), num_threads=threads)
        return Interpreter(model_path=str(path), num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path.name} is not there or is not a LiteRT model ({error}).") from error
