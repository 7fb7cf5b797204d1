"""Load what `label_image` and `evaluate` can use: a frozen graph, a .tflite file, a SavedModel, or the site's artifact.

Each answers one picture's file with scores, float32 (C,); an artifact also says when it shows none of the classes.
TensorFlow is loaded only for graphs that are not yet in the
cache (see `graph_cache`).
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ml.backbones.backbone import Backbone
from ml.backbones.frozen_graphs import is_made_here
from ml.backbones.registry import get_backbone
from ml.cli import graph_cache
from ml.cli.graph_cache import Layers
from ml.engines.confined import EngineFailed
from ml.engines.litert import Adapter, Embedder, LiteRTEngine
from ml.engines.loading import load_engine
from ml.errors import Refused
from ml.files import write_atomically
from ml.images.decoding import load_picture
from ml.images.rendering import Framing
from ml.settings import MLSettings
from ml.training.artifacts import HEAD, MANIFEST, ArtifactCorrupt, read_artifact
from ml.training.head import Head
from ml.training.rejection import NOTHING_REFUSED, Reason, Rejection

SIZE = 224  # if neither flags nor graph say otherwise, as in the original
FROM_0_TO_1 = Adapter(1 / 255, 0.0)

Scores = NDArray[np.float32]


class LabelFailed(Refused):
    """The pictures cannot be labelled. The message is a sentence for the user."""


class GraphFlags(Protocol):
    """The values that the flags of `add_graph_flags` have."""

    graph: Path
    labels: Path | None
    input_height: int | None
    input_width: int | None
    input_mean: float
    input_std: float
    input_layer: str
    output_layer: str


@dataclass(frozen=True)
class Answer:
    """The scores of a picture, float32 (C,), and why it shows none of the classes."""

    scores: Scores
    reason: Reason = Reason.NONE


@dataclass(frozen=True)
class GraphClassifier:
    """A function from a picture's file to an answer, with its labels.

    Attributes:
        classify: raises `ImageRejected` for a picture that cannot be read.
        labels: None if the graph does not contain any.
        remember: makes the next start faster; call it after the answers are given, because it may take seconds.
    """

    classify: Callable[[bytes], Answer]
    labels: list[str] | None = None
    remember: Callable[[], None] = field(default=lambda: None)


def load_classifier(flags: GraphFlags, settings: MLSettings, *, threads: int) -> GraphClassifier:
    """Load the graph that the flags name. Raise `LabelFailed` if it cannot be used.

    `threads` is the number of cores for one picture; with 1, many threads may call `classify` at once.
    """
    graph = flags.graph
    if not graph.exists():
        raise LabelFailed(f"There is no graph {graph}.")
    try:
        if graph.is_dir():
            if (graph / MANIFEST).is_file():
                return _load_artifact(graph, settings, threads)
            return _load_saved_model(flags, settings, threads)
        if graph.suffix == ".tflite":
            return GraphClassifier(_through(lambda: LiteRTEngine(graph, threads=threads)))
        return _load_frozen_graph(flags, settings, threads)
    except LabelFailed:
        raise
    except Exception as error:  # a graph may be anything, and TensorFlow raises all sorts
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise LabelFailed(f"{graph} cannot be used as a graph ({first}).") from error


def _through(
    load: Callable[[], Embedder], head: Head | None = None, rejection: Rejection = NOTHING_REFUSED
) -> Callable[[bytes], Answer]:
    """Return a function that sends pictures through an engine, one per calling thread, and a head if there is one."""
    engines = threading.local()
    engines.own = load()  # to find out at once if it cannot be loaded

    def classify(data: bytes) -> Answer:
        if not hasattr(engines, "own"):
            engines.own = load()
        picture = load_picture(data, engines.own.input_size, framing=engines.own.framing)[np.newaxis]
        try:
            features = engines.own.embed(picture)
        except EngineFailed as error:  # raised by networks that somebody added
            raise LabelFailed(str(error)) from None
        scores = head.probabilities(features) if head is not None else features
        return Answer(scores[0], rejection.judge(scores, rejection.likeness(features))[0])

    return classify


def _with_head(
    backbone: Backbone, head: Head, threads: int, rejection: Rejection = NOTHING_REFUSED
) -> Callable[[bytes], Answer]:
    return _through(lambda: load_engine(backbone, backbone.machine.backbones_dir, threads=threads), head, rejection)


def _load_artifact(folder: Path, settings: MLSettings, threads: int) -> GraphClassifier:
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    try:
        artifact = read_artifact(digest, lambda name: (folder / name).read_bytes())
        name = artifact.manifest["backbone"]["name"]
    except (ArtifactCorrupt, KeyError, TypeError) as error:
        raise LabelFailed(f"{folder / HEAD} and its manifest do not match ({error}).") from None
    labels = [label for _, label in artifact.classes]
    backbone = get_backbone(name, settings)
    return GraphClassifier(_with_head(backbone, artifact.head, threads, artifact.rejection), labels)


def _load_frozen_graph(flags: GraphFlags, settings: MLSettings, threads: int) -> GraphClassifier:
    content, layers = flags.graph.read_bytes(), Layers(flags.input_layer, flags.output_layer)
    own_size = not (flags.input_height or flags.input_width)
    if own_size:
        known = graph_cache.recall_head(content, layers, flags.input_mean, flags.input_std, settings)
        if known is not None:
            return GraphClassifier(_with_head(known.backbone, known.head, threads))
    adapter = Adapter(1 / flags.input_std, -flags.input_mean / flags.input_std)
    converted = graph_cache.converted_path(content, layers, settings)
    if own_size and converted.is_file():
        framing = _framing_of(content)
        load = partial(LiteRTEngine, converted, threads=threads, adapter=adapter, framing=framing)
        return GraphClassifier(_through(load))
    return _run_frozen_graph(flags, content, layers, converted)


def _run_frozen_graph(flags: GraphFlags, content: bytes, layers: Layers, converted: Path) -> GraphClassifier:
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(content)
    names = {node.name for node in graph_def.node}
    for flag, name in (("input_layer", layers.input), ("output_layer", layers.output)):
        if name not in names:
            raise LabelFailed(f"{flags.graph} has no node {name!r}. Give the right one: --{flag}=NAME")
    imported = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name="import"), [])
    function = imported.prune(f"import/{layers.input}:0", f"import/{layers.output}:0")
    size = flags.input_height or flags.input_width or _size_of(function.inputs[0].shape)

    framing = _framing_of(content)

    def classify(data: bytes) -> Answer:
        pixels = load_picture(data, size, framing=framing)[np.newaxis].astype(np.float32)
        normalised = (pixels - np.float32(flags.input_mean)) / np.float32(flags.input_std)
        return Answer(np.asarray(function(tf.constant(normalised)).numpy(), np.float32)[0])

    return GraphClassifier(classify, remember=lambda: _convert(function, size, converted))


def _framing_of(graph: bytes) -> Framing:
    """Return how the original's scripts make pictures square, for all graphs that were not made here."""
    return Framing.WHOLE if is_made_here(graph) else Framing.UNSMOOTHED


def _size_of(shape: Any) -> int:
    """Return the picture size of a graph's input (N, S, S, 3), or the default if the graph does not say."""
    known = shape.rank == 4 and shape[1] is not None
    return int(shape[1]) if known else SIZE


def _convert(function: Any, size: int, target: Path) -> None:
    """Convert to LiteRT, silently giving up if that fails: the next call then takes as long as this one."""
    import tensorflow as tf

    spec = tf.TensorSpec([1, size, size, 3], tf.float32)
    fixed = tf.function(function, input_signature=[spec], autograph=False).get_concrete_function()
    with contextlib.suppress(Exception):  # the converter raises all sorts, and its own class is not public
        write_atomically(target, tf.lite.TFLiteConverter.from_concrete_functions([fixed], function).convert())


def _load_saved_model(flags: GraphFlags, settings: MLSettings, threads: int) -> GraphClassifier:
    """Load a SavedModel.

    One of ours takes the file itself; others take pictures from 0 to 1, like those of TensorFlow Hub.
    """
    content = _content_of(flags.graph)
    converted = graph_cache.converted_path(content, Layers("serving_default", ""), settings)
    if converted.is_file():
        return GraphClassifier(_through(lambda: LiteRTEngine(converted, threads=threads, adapter=FROM_0_TO_1)))
    return _run_saved_model(flags.graph, converted)


def _content_of(folder: Path) -> bytes:
    """Return bytes that stand for all files of a folder."""
    listed = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            listed.append([path.relative_to(folder).as_posix(), hashlib.file_digest(file, "sha256").hexdigest()])
    return json.dumps(listed).encode()


def _run_saved_model(folder: Path, converted: Path) -> GraphClassifier:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    serve = loaded.signatures["serving_default"]
    ((source, spec),) = serve.structured_input_signature[1].items()
    target = "scores" if "scores" in serve.structured_outputs else next(iter(serve.structured_outputs))

    def classify(data: bytes) -> Answer:
        if spec.dtype == tf.string:
            load_picture(data, SIZE)  # raises a sentence if it is not a picture
            given = tf.constant([data])
        else:
            given = tf.constant(load_picture(data, _size_of(spec.shape))[np.newaxis].astype(np.float32) / 255)
        return Answer(np.asarray(serve(**{source: given})[target].numpy(), np.float32)[0])

    def remember() -> None:
        if spec.dtype == tf.string and "pictures" not in loaded.signatures:
            return
        numbers = loaded.signatures["pictures"] if spec.dtype == tf.string else serve
        ((name, shape),) = numbers.structured_input_signature[1].items()
        _convert(lambda pictures: numbers(**{name: pictures})[target], _size_of(shape.shape), converted)

    return GraphClassifier(classify, remember=remember)
