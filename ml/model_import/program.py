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
from ml.model_import import tflite_files
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
# (scale, offset) by name: the network takes pixel * scale + offset.
RANGES: dict[str, tuple[float, float]] = {
    "0..1": (1 / 255, 0.0),
    "-1..1": (1 / 127.5, -1.0),
    "0..255": (1.0, 0.0),
    "label_image": (1 / 128, -1.0),  # its defaults: a mean and a deviation of 128
}


@dataclass(frozen=True)
class Request:
    """The wishes of the caller, and facts that the file itself may not contain.

    Attributes:
        classifier: whether its answers are wanted rather than features.
        range: the range of its input, one of RANGES; if empty, what is usual for such a file.
        input_size: width and height of its pictures in pixels, if the file does not say.
        output: the name of a frozen graph's output.
        labels: the text of a labels file.
    """

    classifier: bool = False
    range: str = ""
    input_size: int | None = None
    output: str = ""
    labels: str | None = None


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
    labels, teachable = source.labels, source.teachable
    if request.labels is not None:
        labels, teachable = parse_labels(request.labels.encode())
    two = request.classifier and len(labels) == 2
    if source.kind == TFLITE:
        found = _open_lite(source, out, request, two)
    else:
        found = _open_graph(source, out, request, two, teachable)
    if request.classifier:
        _check_labels(labels, found["features"])
    found |= {"labels": labels}
    (out / FOUND).write_text(json.dumps(found))


def _open_lite(source: Source, out: Path, request: Request, two: bool) -> dict[str, Any]:
    from ml.engines.litert import Adapter, LiteRTEngine

    known = tflite_files.inspect(source.path)
    _check_size(known.input_size)
    usual = known.scaling or RANGES["-1..1" if request.classifier else "0..1"]
    scale, offset = RANGES[request.range] if request.range else usual
    print("probe", flush=True)
    answers = LiteRTEngine(source.path, adapter=Adapter(scale, offset)).embed(probe_pictures(known.input_size))
    probabilities, one_output = _check_answers(answers, request), two and answers.shape[1] == 1
    (out / LITE).write_bytes(source.path.read_bytes())
    return {
        **_describe(out / LITE, known.input_size, 2 if one_output else answers.shape[1], probabilities),
        "one_output": one_output,
        "scale": scale,
        "offset": offset,
        "logarithm": probabilities,
        "engine": LITERT,
    }


def _open_graph(source: Source, out: Path, request: Request, two: bool, teachable: bool) -> dict[str, Any]:
    from ml.backbones import frozen_graphs
    from ml.model_import import graphs

    opened, usual = _open_by_kind(source, request, out)
    _check_size(opened.input_size)
    scale, offset = RANGES[request.range or ("-1..1" if request.classifier and teachable else usual)]
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
        "engine": TENSORFLOW if why else LITERT,
        "why": why,
    }


def _open_by_kind(source: Source, request: Request, scratch: Path) -> tuple[Any, str]:
    """Return an `Opened`, and the input range that is usual for such a file."""
    from ml.model_import import graphs, keras_files, saved_models

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
    if not all(labels) or len(set(labels)) != len(labels):
        raise ImportRefused("Every label must be different, and none may be empty.")


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
