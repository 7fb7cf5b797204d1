"""`label_image`: what is in pictures, by a frozen graph, a .tflite file or a SavedModel."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from worker.images import ImageRejected, load_picture

SIZE = 224  # where neither flags nor graph say another, as in the original
BEST = 5
LABEL_FILES = ("retrained_labels.txt", "labels.txt", "output_labels.txt")

Classify = Callable[[bytes], NDArray[np.float32]]  # a picture's file to scores (C,)


class LabelFailed(RuntimeError):
    """The message is a sentence for the user."""


class Flags(Protocol):
    """What `add_label_image_flags` gives."""

    images: list[Path]
    image: list[Path]
    graph: Path
    labels: Path | None
    input_height: int | None
    input_width: int | None
    input_mean: float
    input_std: float
    input_layer: str
    output_layer: str


@dataclass(frozen=True)
class Named:
    """A picture's classes, the likeliest first, or why it could not be read."""

    image: Path
    seconds: float
    best: list[tuple[str, float]]
    error: str = ""


def label_images(flags: Flags) -> Iterator[Named]:
    """Each picture in turn. Raises LabelFailed where graph or labels cannot be used."""
    images = [*flags.image, *flags.images]
    if not images:
        raise LabelFailed("Name a picture: --image=picture.jpg")
    if flags.input_height != flags.input_width and flags.input_height and flags.input_width:
        raise LabelFailed("--input_height and --input_width must be the same: pictures are squeezed to a square.")
    labels = _read_labels(flags)
    classify = _load(flags)
    for image in images:
        try:
            data = image.read_bytes()
            begun = time.perf_counter()
            scores = classify(data)
        except ImageRejected as error:
            yield Named(image, 0.0, [], str(error))
            continue
        except OSError as error:
            yield Named(image, 0.0, [], f"It cannot be read: {error.strerror}.")
            continue
        seconds = time.perf_counter() - begun
        if scores.shape != (len(labels),):
            raise LabelFailed(f"The graph gives {scores.size} scores, but there are {len(labels)} labels.")
        order = np.argsort(-scores, kind="stable")[:BEST]
        yield Named(image, seconds, [(labels[place], float(scores[place])) for place in order])


def _read_labels(flags: Flags) -> list[str]:
    beside = [flags.graph.parent / name for name in LABEL_FILES]
    inside = [flags.graph / "assets" / name for name in LABEL_FILES]
    path = flags.labels or next((path for path in (*inside, *beside) if path.is_file()), None)
    if path is None:
        raise LabelFailed(f"There are no labels beside {flags.graph}. Name them: --labels=FILE")
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabelFailed(f"The labels {path} cannot be read ({error}).") from None


def _load(flags: Flags) -> Classify:
    graph = flags.graph
    if not graph.exists():
        raise LabelFailed(f"There is no graph {graph}.")
    try:
        if graph.is_dir():
            return _load_saved_model(graph)
        if graph.suffix == ".tflite":
            return _load_tflite(graph)
        return _load_frozen_graph(flags)
    except LabelFailed:
        raise
    except Exception as error:  # a graph may be anything, and TensorFlow raises all sorts
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise LabelFailed(f"{graph} cannot be used as a graph ({first}).") from error


def _load_frozen_graph(flags: Flags) -> Classify:
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(flags.graph.read_bytes())
    names = {node.name for node in graph_def.node}
    for flag, name in (("input_layer", flags.input_layer), ("output_layer", flags.output_layer)):
        if name not in names:
            raise LabelFailed(f"{flags.graph} has no node {name!r}. Name the right one: --{flag}=NAME")
    imported = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name="import"), [])
    classify = imported.prune(f"import/{flags.input_layer}:0", f"import/{flags.output_layer}:0")
    size = flags.input_height or flags.input_width or _size_of(classify.inputs[0].shape)

    def run(data: bytes) -> NDArray[np.float32]:
        pixels = load_picture(data, size)[np.newaxis].astype(np.float32)
        normalised = (pixels - np.float32(flags.input_mean)) / np.float32(flags.input_std)
        return np.asarray(classify(tf.constant(normalised)).numpy(), np.float32)[0]

    return run


def _size_of(shape: Any) -> int:
    """Of a graph's input (N, S, S, 3), where it says."""
    known = shape.rank == 4 and shape[1] is not None
    return int(shape[1]) if known else SIZE


def _load_tflite(path: Path) -> Classify:
    from worker.backbones.engine import LiteRTEngine

    engine = LiteRTEngine(path)
    return lambda data: engine.embed(load_picture(data, engine.input_size)[np.newaxis])[0]


def _load_saved_model(folder: Path) -> Classify:
    """One of ours takes the file as it is; others take pictures from 0 to 1, as TensorFlow Hub's do."""
    import tensorflow as tf

    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    ((source, spec),) = serve.structured_input_signature[1].items()
    target = "scores" if "scores" in serve.structured_outputs else next(iter(serve.structured_outputs))

    def run(data: bytes) -> NDArray[np.float32]:
        if spec.dtype == tf.string:
            load_picture(data, SIZE)  # for the sentence, where it is no picture
            given = tf.constant([data])
        else:
            given = tf.constant(load_picture(data, _size_of(spec.shape))[np.newaxis].astype(np.float32) / 255)
        return np.asarray(serve(**{source: given})[target].numpy(), np.float32)[0]

    return run
