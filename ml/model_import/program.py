"""Open a stranger's file, as a program run by `ml.sandbox.confine`.

    python -m ml.model_import.program open FILE OUT REQUEST

REQUEST is a JSON file (see `Request`). OUT gets `network.pb` or `network.tflite`, `converted.tflite` if LiteRT can run
it, and `found.json`: the values of `spec.BackboneSpec`, `labels`, `probabilities`, and `why` LiteRT cannot run it. Each
line printed names a step. A refusal is the last line on stderr, with status 3.

    python -m ml.model_import.program fetch ADDRESS OUT private|public

resolves an address into the folder OUT (see `fetching`); only this command may reach other machines.
"""

import contextlib
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.backbones.spec import CONVERTED, GRAPH, LITE, LITERT, MAX_INPUT_SIZE, TENSORFLOW
from ml.engines.graph_conversion import convert_checked
from ml.errors import ImportRefused, first_line
from ml.images.rendering import Framing
from ml.model_import import tflite_files, tflite_head
from ml.model_import.ranges import ASSUMED, CHOSEN, INSIDE, TEACHABLE, Told, name_range, relative_scaling, scaling_of
from ml.model_import.sources import (
    FROZEN_GRAPH,
    KERAS,
    MAX_CLASSES,
    TENSORFLOW_JS,
    TFLITE,
    Source,
    find_in_folder,
    find_source,
    parse_labels,
)
from ml.sandbox.screening import HostileGraph

REFUSED = 3
FOUND = "found.json"


@dataclass(frozen=True)
class Request:
    """The wishes of the caller, and facts that the file itself may not contain.

    Attributes:
        classifier: whether its answers are wanted rather than features.
        range: the range of its input, one of RANGES; if empty, what the file shows, or what is usual for such a file.
        framing: how pictures are made square for it, one of Framing; if empty, what is usual for such a file.
        input_size: width and height of its pictures in pixels, if the file does not say.
        output: the name of a frozen graph's output.
        labels: the text of a labels file.
        built_in: for a graph in our form, which gets another range: the range that it has.
    """

    classifier: bool = False
    range: str = ""
    input_size: int | None = None
    output: str = ""
    labels: str | None = None
    framing: str = ""
    built_in: str = ""


def main(arguments: list[str]) -> int:
    """Run the program with its command-line arguments, and return the exit code."""
    action, first, out, *rest = arguments
    try:
        if action == "fetch":
            from ml.model_import.fetching import resolve

            resolve(first, Path(out), allow_private=rest == ["private"])
        else:
            _open(Path(first), Path(out), Request(**json.loads(Path(rest[0]).read_text())))
    except (ImportRefused, HostileGraph) as error:
        print(error, file=sys.stderr)
        return REFUSED
    except MemoryError:
        print("It needs more memory than this site allows.", file=sys.stderr)
        return REFUSED
    return 0


def _open(path: Path, out: Path, request: Request) -> None:
    print("look", flush=True)
    scratch = out / "unpacked"
    scratch.mkdir()
    source = find_in_folder(path) if path.is_dir() else find_source(path, scratch)
    labels = source.labels if request.labels is None else parse_labels(request.labels.encode())
    two = request.classifier and len(labels) == 2
    found = (_open_lite if source.kind == TFLITE else _open_graph)(source, out, request, two)
    if request.classifier:
        _check_labels(labels, found["features"])
    found |= {"labels": labels}
    (out / FOUND).write_text(json.dumps(found))


def _open_lite(source: Source, out: Path, request: Request, two: bool) -> dict[str, Any]:
    from ml.engines.litert import Adapter, LiteRTEngine

    known = tflite_files.inspect(source.path, scaling=not request.range)
    _check_size(known.input_size)
    if request.range:
        (scale, offset), reason = scaling_of(request.range), CHOSEN
    elif known.scaling:
        (scale, offset), reason = known.scaling, known.reason
    else:
        (scale, offset), reason = scaling_of("-1..1" if request.classifier else "0..1"), ASSUMED
    print("probe", flush=True)
    answers = LiteRTEngine(source.path, adapter=Adapter(scale, offset)).embed(probe_pictures(known.input_size))
    probabilities, one_output = _check_answers(answers, request), two and answers.shape[1] == 1
    (out / LITE).write_bytes(source.path.read_bytes())
    usual = Framing.CENTRE if tflite_head.is_teachable(source.path) else Framing.WHOLE
    return {
        **_describe(out / LITE, known.input_size, 2 if one_output else answers.shape[1], probabilities),
        **_as_seen(request.range or name_range(scale, offset), reason, request.framing or usual),
        "one_output": one_output,
        "scale": scale,
        "offset": offset,
        "logarithm": probabilities,
        "engine": LITERT,
    }


def _as_seen(range: str, reason: str, framing: str) -> dict[str, str]:
    return {"range": range, "range_reason": reason, "framing": framing}


def _open_graph(source: Source, out: Path, request: Request, two: bool) -> dict[str, Any]:
    opened, usual = _open_by_kind(source, request, out)
    _check_size(opened.input_size)
    try:
        return _keep_graph(opened, usual, out, request, two)
    except ImportRefused as error:
        if opened.size_told:
            raise
        raise ImportRefused(
            f"The graph does not say how large its pictures are, and {opened.input_size} pixels do not fit. Give its "
            f"picture size in the expert settings, or as input_size: often 128, 192 or 299. ({error})"
        ) from None


def _keep_graph(opened: Any, usual: str, out: Path, request: Request, two: bool) -> dict[str, Any]:
    """Write the network in our form, and its converted form if LiteRT can run it, and return what is known of it."""
    from ml.backbones import frozen_graphs
    from ml.model_import import graphs

    told, framing = _look_at(opened, request, usual)
    scale, offset = relative_scaling(told.range, request.built_in or "0..255")
    print("probe", flush=True)
    pictures = probe_pictures(opened.input_size)
    plain = graphs.freeze(opened, scale=scale, offset=offset, logarithm=False)
    raw = _run(frozen_graphs.restore(plain), pictures)
    finish = {"logarithm": _check_answers(raw, request), "one_output": two and raw.shape[1] == 1}
    graph = graphs.freeze(opened, scale=scale, offset=offset, **finish) if any(finish.values()) else plain
    answers = _run(frozen_graphs.restore(graph), pictures)
    (out / GRAPH).write_bytes(graph)
    print("convert", flush=True)
    why = convert_checked(graph, out / CONVERTED, pictures, answers)
    return {
        **_describe(out / GRAPH, opened.input_size, answers.shape[1], finish["logarithm"]),
        **_as_seen(told.range, told.reason, framing),
        "engine": TENSORFLOW if why else LITERT,
        "why": why,
    }


def _look_at(opened: Any, request: Request, usual: str) -> tuple[Told, str]:
    """Return the range and the framing of a network: what was asked for, what it shows, or what is usual."""
    from ml.backbones.frozen_graphs import read_graph
    from ml.model_import import graph_head, graphs

    graph = read_graph(graphs.freeze(opened, scale=1.0, offset=0.0, logarithm=False))
    teachable = graph_head.is_teachable(graph)
    framing = request.framing or (Framing.CENTRE if teachable else opened.framing if request.classifier else "")
    shown = graph_head.told_by_head(graph)
    if (shown, usual) == ("-1..1", "label_image"):  # all but the same, and what the original did in training
        shown = usual
    if request.range:
        told = Told(request.range, CHOSEN)
    elif teachable:
        told = Told("-1..1", TEACHABLE)
    else:
        told = Told(shown, INSIDE) if shown else Told(usual, ASSUMED)
    return told, framing or Framing.WHOLE


def _open_by_kind(source: Source, request: Request, scratch: Path) -> tuple[Any, str]:
    """Return an `Opened`, and the input range that is usual for such a file."""
    from ml.model_import import graphs, keras_files, saved_models

    if request.built_in:
        return graphs.open_own_graph(source.path, request.input_size or 0), request.built_in
    if source.kind == FROZEN_GRAPH:
        opened, name = graphs.open_frozen_graph(source.path, input_size=request.input_size, output=request.output)
        return opened, "label_image" if request.classifier and name != "Placeholder" else "0..1"
    if source.kind == KERAS:
        return keras_files.open_keras_file(source.path, scratch), "0..255"  # Keras' networks scale pictures themselves
    if source.kind == TENSORFLOW_JS:
        return keras_files.open_tensorflow_js(source.path), "-1..1"
    return saved_models.open_saved_model(source.path, input_size=request.input_size), "0..1"


def probe_pictures(size: int) -> NDArray[np.uint8]:
    """Return a gradient of colours, a field of noise, and pictures of one colour each, uint8 (8, S, S, 3).

    They are so many that one of them shows whether a single output is a probability or any number.
    """
    ramp = np.linspace(0, 255, size)
    slope = np.stack([np.tile(ramp, (size, 1)), np.tile(ramp[:, None], (1, size)), np.full((size, size), 90.0)], -1)
    noise = np.random.default_rng(7).integers(0, 256, (size, size, 3))
    colours = ((0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128))
    plain = [np.full((size, size, 3), colour) for colour in colours]
    return np.stack([slope, noise, *plain]).astype(np.uint8)


def _run(function: Any, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run one picture after the other, because a graph may take no more at once.

    Raise `ImportRefused` if it cannot answer.
    """
    import tensorflow as tf

    try:
        rows = [function(tf.constant(picture[np.newaxis], tf.float32)).numpy()[0] for picture in pictures]
    except tf.errors.OpError as error:
        raise ImportRefused(f"It cannot process a picture: {first_line(error)}") from None
    return np.asarray(rows, np.float32)


def _check_answers(answers: NDArray[np.float32], request: Request) -> bool:
    """Return whether the answers are a classifier's probabilities. Raise `ImportRefused` if they are unusable."""
    if not np.isfinite(answers).all():
        raise ImportRefused("It returns values that are not numbers (NaN) or infinite.")
    if not request.classifier:
        if np.abs(answers[0] - answers[1]).max() <= 1e-6 * max(float(np.abs(answers).max()), 1e-6):
            raise ImportRefused("It returns the same values for all pictures. Is it the right file?")
        return False
    return bool((answers >= 0).all() and (answers <= 1 + 1e-3).all())


def _check_labels(labels: list[str], outputs: int) -> None:
    if not labels:
        raise ImportRefused("It contains no labels. Send a text file with them, one per line.")
    if outputs > MAX_CLASSES:
        raise ImportRefused(f"It has {outputs:,} classes; at most {MAX_CLASSES:,} can be imported.")
    if outputs == 1 and len(labels) != outputs:
        raise ImportRefused(
            f"It returns a single score, and there are {len(labels)} labels. Send two labels, one per line: first the "
            "class for scores near 0, then the class for scores near 1."
        )
    if len(labels) != outputs:
        there = "is 1 label" if len(labels) == 1 else f"are {len(labels)} labels"
        raise ImportRefused(
            f"It returns {outputs} scores, but there {there}. Send a text file with one label for each score, in "
            "their order."
        )
    if not all(labels):
        raise ImportRefused(f"Label {labels.index('') + 1} is empty. Send a text file with one label per line.")


def _check_size(size: int) -> None:
    if not 8 <= size <= MAX_INPUT_SIZE:
        raise ImportRefused(f"It takes pictures of {size} pixels; only sizes from 8 to {MAX_INPUT_SIZE} can be used.")


def _describe(file: Path, size: int, features: int, probabilities: bool) -> dict[str, Any]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    described = {"file": file.name, "sha256": digest, "input_size": size, "features": int(features)}
    return described | {"probabilities": probabilities}


def dump_request(request: Request) -> str:
    """Return the request as JSON."""
    return json.dumps(asdict(request))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main(sys.argv[1:]))
