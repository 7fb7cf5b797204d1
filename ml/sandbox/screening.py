"""Screen a graph, before TensorFlow loads it, for operations that reach beyond their own numbers.

Everything in a file is checked, even what nothing calls: TensorFlow may substitute one function for another, and which
nodes run when a file is loaded depends on how it is loaded. Operations that save or restore a network's own variables
are part of every SavedModel. They are allowed, but the part that answers pictures must not need them, nor may the part
that restores need those that save.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ml.errors import Refused

# Operations that read or write files, connect to other machines or processes, end the program or contain another
# program. They are matched by name because new ones of each family appear. No network for pictures needs them.
_DENIED = re.compile(
    r"File|Reader|Save|Restore|Checkpoint|Dataset|PyFunc|^Debug|Debugger|Write.*Summary|SummaryWriter|SummaryDb"
    r"|Rpc|^_?Send|^_?Recv|^_?HostSend|^_?HostRecv|Collective|^Nccl|^Print|DecodeProto|EncodeProto|Remap|^Lmdb|^LMDB|^Sql"
    r"|Big[Qq]uery|Bigtable|^Gcs|Socket|RecordInput|RemoteCall|^TPU|^Tpu|^Xla.*(Send|Recv)|^Load|Distributed|^Iterator"
    r"|Iterator(V2)?$|^IO>|^Kafka|^ImmutableConst$|^DumpTensor$|^ImportEvent$|^Abort$|^Copy(Host)?$|^Mlir|^XlaCustomCall"
    r"|^XlaLaunch|^RemoteFused|^TRT"
)
# Of the stateful operations only these are allowed: variables, random numbers, tables and lists in memory, and calls.
_KEEPS_TO_ITSELF = re.compile(
    r"_Arg|_Retval|Placeholder\w*|If|While|Case|StatefulPartitionedCall|Empty|Assert|CheckNumerics(V2)?|GuaranteeConst"
    r"|VarHandleOp|VarIsInitializedOp|Variable(V2|Shape)?|TemporaryVariable|ReadVariableOp|DisableCopyOnRead"
    r"|Assign(Add|Sub)?VariableOp|Resource(Gather|Scatter|Apply|SparseApply|StridedSliceAssign|CountUpTo)\w*"
    r"|Random\w+|TruncatedNormal|ParameterizedTruncatedNormal|Multinomial|Stateful\w+|StatelessRandomGetAlg|Rng\w+"
    r"|NonDeterministicInts|SampleDistortedBoundingBox(V2)?|TensorArray\w*|Stack\w*|DeviceIndex"
    r"|(Anonymous)?(Mutable)?(Dense)?HashTable\w*|LookupTable\w+|InitializeTableV2"
)
_RESTORING = frozenset({"RestoreV2", "RestoreSlice", "Restore", "ShardedFilename"})
_SAVING = frozenset({"SaveV2", "SaveSlices", "Save", "MergeV2Checkpoints"})


class HostileGraph(Refused):
    """The graph contains an operation that is not allowed, which the message names."""


def screen_graph(graph: Any) -> None:
    """Check a GraphDef. Raise `HostileGraph` if it is not harmless."""
    functions = {function.signature.name: function for function in graph.library.function}
    _refuse([*graph.node, *_nodes_of(graph.library.function)], functions)


def screen_saved_model(saved_model: Any) -> None:
    """Check each MetaGraphDef of a SavedModel. Raise `HostileGraph` if one is not harmless."""
    for meta_graph in saved_model.meta_graphs:
        _screen_meta_graph(meta_graph)


def _screen_meta_graph(meta: Any) -> None:
    nodes = {node.name: node for node in meta.graph_def.node}
    library = meta.graph_def.library.function
    functions = {function.signature.name: function for function in library}
    # If a name occurs twice, the dictionaries hide one of the two.
    if len(nodes) != len(meta.graph_def.node) or len(functions) != len(library):
        raise HostileGraph("Two of its operations or functions have the same name. Such files are not opened.")
    _refuse([*nodes.values(), *_nodes_of(library)], functions, besides=_RESTORING | _SAVING)
    restoring = _reach([meta.saver_def.restore_op_name], nodes)
    _refuse(_with_called(restoring, functions), functions, besides=_RESTORING)
    _refuse(
        _with_called([*_reach(_starts(meta), nodes), *_nodes_of(_run_by_name(meta, functions))], functions), functions
    )


def _run_by_name(meta: Any, functions: dict[str, Any]) -> list[Any]:
    """Return the functions that Python calls, including initialisers, and those that are substituted for others."""
    named = [functions[name] for name in meta.object_graph_def.concrete_functions if name in functions]
    return [*named, *(function for function in functions.values() if "api_implements" in function.attr)]


def _starts(meta: Any) -> list[str]:
    """Return the names of what runs first: outputs of signatures, and initialisers."""
    names = [tensor.name for signature in meta.signature_def.values() for tensor in signature.outputs.values()]
    names += [name for collection in meta.collection_def.values() for name in collection.node_list.value]
    names += [asset.tensor_info.name for asset in meta.asset_file_def]
    for variables in ("variables", "trainable_variables", "local_variables", "model_variables"):
        names += _initialisers(meta, variables)
    return names


def _initialisers(meta: Any, collection: str) -> list[str]:
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework.variable_pb2 import VariableDef

    found = []
    for data in meta.collection_def[collection].bytes_list.value if collection in meta.collection_def else ():
        try:
            variable = VariableDef.FromString(data)
        except DecodeError:
            raise HostileGraph("Its list of variables is damaged.") from None
        found += [variable.variable_name, variable.initializer_name, variable.snapshot_name]
    return found


def _reach(starts: Iterable[str], nodes: dict[str, Any]) -> list[Any]:
    """Return these nodes and all nodes that they need."""
    waiting, seen = [_node_name(name) for name in starts], set()
    found = []
    while waiting:
        name = waiting.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        found.append(nodes[name])
        waiting += [_node_name(source) for source in nodes[name].input]
    return found


def _node_name(tensor: str) -> str:
    return tensor.lstrip("^").split(":")[0]


def _nodes_of(functions: Iterable[Any]) -> Iterator[Any]:
    return (node for function in functions for node in function.node_def)


def _with_called(nodes: Iterable[Any], functions: dict[str, Any]) -> Iterator[Any]:
    """Yield these nodes and those of all functions they call, each function once."""
    waiting, seen = list(nodes), set()
    while waiting:
        node = waiting.pop()
        yield node
        for name in _called(node):
            if name in functions and name not in seen:
                seen.add(name)
                waiting += functions[name].node_def


def _called(node: Any) -> Iterator[str]:
    yield node.op  # functions used to be called by using their name as an operation
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        yield from (func.name for func in value.list.func)


def _refuse(nodes: Iterable[Any], functions: dict[str, Any], *, besides: frozenset[str] = frozenset()) -> None:
    from tensorflow.python.framework import op_def_registry

    for op in {node.op for node in nodes} - besides:
        known = op_def_registry.get(op)
        if known is None and op in functions:
            continue
        if _DENIED.search(op) or (known is not None and known.is_stateful and not _KEEPS_TO_ITSELF.fullmatch(op)):
            raise HostileGraph(
                f"It contains the operation {op[:80]!r}, which can read or write files or reach beyond the network. "
                "Such files are not opened."
            )
        if known is None:
            raise HostileGraph(f"It contains the operation {op[:80]!r}, which this site's TensorFlow does not have.")
