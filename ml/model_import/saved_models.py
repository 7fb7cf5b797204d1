"""Find the input and output of a stranger's SavedModel. Import TensorFlow.

TF Hub's common signature for images is tried first: called as a function, it maps float32 (N, S, S, 3) from 0 to 1 to
(N, F) (https://www.tensorflow.org/hub/common_saved_model_apis/images). Then come signatures with a single input for
pictures, as in the first version of TF Hub and in TensorFlow Serving.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml.backbones.frozen_graphs import import_graph
from ml.errors import ImportRefused, first_line
from ml.model_import.graphs import Opened, flatten
from ml.sandbox.screening import screen_graph, screen_saved_model

SIGNATURES = ("image_feature_vector", "serving_default", "default", "pictures")
OUTPUTS = ("default", "feature_vector", "scores", "probabilities", "output_0", "outputs", "logits")
TRAINING_TAG = "train"
_FLOAT = 1  # DT_FLOAT of types.proto


def open_saved_model(folder: Path, *, input_size: int | None) -> Opened:
    """Open a SavedModel. Raise `ImportRefused` if it cannot be used, `HostileGraph` if it is not harmless."""
    import tensorflow as tf

    meta_graph = _choose_graph(folder)
    tags = list(meta_graph.meta_info_def.tags)
    if not meta_graph.object_graph_def.nodes:
        return _open_first_version(folder, meta_graph, tags, input_size)
    try:
        loaded = tf.saved_model.load(str(folder), tags=tags)
    except (ValueError, TypeError, KeyError, OSError, AttributeError, tf.errors.OpError) as error:
        raise ImportRefused(f"TensorFlow cannot load this SavedModel: {first_line(error)}") from None
    complaints = []
    for candidate in _candidates(loaded, input_size):
        try:
            _trace(candidate)
        except (ImportRefused, ValueError, TypeError, KeyError, AttributeError, tf.errors.OpError) as error:
            complaints.append(first_line(error))
        else:
            return candidate
    raise ImportRefused(
        "It has no function or signature that takes pictures as numbers and gives one row of numbers for each. "
        + " ".join(complaints[:1])
    )


def _open_first_version(folder: Path, meta_graph: Any, tags: list[str], input_size: int | None) -> Opened:
    """Open a SavedModel of TensorFlow 1, turning its variables into constants in a session of that version."""
    import tensorflow as tf

    v1 = tf.compat.v1
    source, target = _choose_tensors(meta_graph.signature_def)
    try:
        with tf.Graph().as_default(), v1.Session() as session:
            v1.saved_model.load(session, tags, str(folder))
            graph = v1.graph_util.convert_variables_to_constants(
                session, session.graph.as_graph_def(), [target.name.split(":")[0]]
            )
    except (ValueError, TypeError, KeyError, OSError, tf.errors.OpError) as error:
        raise ImportRefused(f"TensorFlow cannot load this SavedModel: {first_line(error)}") from None
    screen_graph(graph)
    function = import_graph(graph, source.name, target.name)
    shape = [dim.size if dim.size > 0 else None for dim in source.tensor_shape.dim]
    return _opened(function, shape, input_size, function)


def _choose_tensors(signatures: Any) -> tuple[Any, Any]:
    """Return (input, output) of the first signature that takes pictures."""
    for name in (*SIGNATURES, *sorted(signatures)):
        if name in signatures and len(signatures[name].inputs) == 1:
            (source,) = signatures[name].inputs.values()
            outputs = signatures[name].outputs
            chosen = next((known for known in OUTPUTS if known in outputs), None) or min(outputs, default=None)
            if chosen is not None and source.dtype == _FLOAT and len(source.tensor_shape.dim) == 4:
                return source, outputs[chosen]
    raise ImportRefused("None of its signatures takes pictures as numbers.")


def _choose_graph(folder: Path) -> Any:
    """Return the graph with the fewest tags that is not for training, after screening all graphs."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    try:
        saved_model = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except DecodeError:
        raise ImportRefused("The file saved_model.pb is damaged.") from None
    screen_saved_model(saved_model)
    graphs = list(saved_model.meta_graphs)
    for_use = [graph for graph in graphs if TRAINING_TAG not in graph.meta_info_def.tags] or graphs
    if not for_use:
        raise ImportRefused("The SavedModel contains no graph.")
    return min(for_use, key=lambda graph: len(graph.meta_info_def.tags))


def _candidates(loaded: Any, input_size: int | None) -> Iterator[Opened]:
    if callable(loaded):
        for shape in _shapes_of_call(loaded):
            yield _opened(_called(loaded), shape, input_size, loaded)
        yield _opened(_called(loaded), [None, None, None, 3], input_size, loaded)
    signatures = dict(getattr(loaded, "signatures", None) or {})
    for name in (*SIGNATURES, *sorted(signatures)):
        if name in signatures:
            yield from _of_signature(signatures[name], input_size, loaded)


def _shapes_of_call(loaded: Any) -> list[list[int | None]]:
    shapes = []
    for function in getattr(loaded.__call__, "concrete_functions", ()):
        given, _ = function.structured_input_signature
        shapes.append(_shape_of(given[0]) if given else None)
    return sorted((shape for shape in shapes if shape), key=str)


def _shape_of(spec: Any) -> list[int | None] | None:
    """Return the shape of an input for pictures, which has four dimensions, the last for colours, or else None."""
    import tensorflow as tf

    shape = getattr(spec, "shape", None)
    if getattr(spec, "dtype", None) != tf.float32 or shape is None or shape.rank != 4 or shape[-1] != 3:
        return None
    return list(shape)


def _opened(call: Any, shape: list[int | None], input_size: int | None, holder: Any) -> Opened:
    height, width = shape[1], shape[2]
    if height and width and height != width:
        raise ImportRefused(f"It takes pictures of {width} x {height} pixels; only square pictures can be used.")
    return Opened(call, height or width or input_size or 224, shape[0], holder)


def _called(loaded: Any) -> Any:
    return lambda pictures: _choose_output(loaded(pictures))


def _of_signature(signature: Any, input_size: int | None, holder: Any) -> Iterator[Opened]:
    _, inputs = signature.structured_input_signature
    if len(inputs) == 1:
        ((name, spec),) = inputs.items()
        shape = _shape_of(spec)
        if shape:
            yield _opened(lambda pictures: _choose_output(signature(**{name: pictures})), shape, input_size, holder)


def _choose_output(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    for name in OUTPUTS:
        if name in found and found[name].dtype.is_floating:
            return found[name]
    numbers = [tensor for _, tensor in sorted(found.items()) if tensor.dtype.is_floating and tensor.shape.rank == 2]
    if not numbers:
        raise ImportRefused(f"None of its outputs is a row of numbers: {', '.join(sorted(found))[:200]}.")
    return numbers[0]


def _trace(candidate: Opened) -> None:
    import tensorflow as tf

    spec = tf.TensorSpec([candidate.batch, candidate.input_size, candidate.input_size, 3], tf.float32)
    tf.function(lambda pictures: flatten(candidate.call(pictures)), autograph=False).get_concrete_function(spec)
