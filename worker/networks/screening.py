"""Looks through a graph, before TensorFlow does, for operations that reach beyond their own numbers.

What is looked at is all that loading and answering would run: everything a signature's outputs and initialisers need,
through functions of functions. What only saves the network is left out: it is part of every SavedModel and never run.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

# Operations that read or write files, talk to other machines or processes, or run Python. By their names, because new
# ones of each family appear; no network that looks at pictures has one of these.
_DENIED = re.compile(
    r"File|Reader|Save|Restore|Checkpoint|Dataset|PyFunc|^Debug|Debugger|Write.*Summary|SummaryWriter|SummaryDb"
    r"|Rpc|^_?Send|^_?Recv|^_?HostSend|^_?HostRecv|Collective|^Nccl|^Print|DecodeProto|EncodeProto|Remap|^Lmdb|^LMDB|^Sql"
    r"|Big[Qq]uery|Bigtable|^Gcs|Socket|RecordInput|RemoteCall|^TPU|^Tpu|^Xla.*(Send|Recv)|^Load|Distributed|^Iterator"
    r"|Iterator(V2)?$|^IO>|^Kafka"
)
# What a restoring function of the first version of TensorFlow is made of; run while loading.
_RESTORES = re.compile(
    r"Const|Identity|NoOp|Placeholder(WithDefault)?|VarHandleOp|VariableV2|Variable|Assign(VariableOp)?|RestoreV2|Pack"
    r"|StringJoin|ShardedFilename|SaveV2|MergeV2Checkpoints"
)


class HostileGraph(ValueError):
    """The message names the operation."""


def screen_graph(graph: Any) -> None:
    """A GraphDef of which anything may be run. Raises HostileGraph."""
    functions = {function.signature.name: function for function in graph.library.function}
    _refuse(_ops_of(graph.node, functions, set()))


def screen_saved_model(saved_model: Any) -> None:
    """Each MetaGraphDef of a SavedModel. Raises HostileGraph."""
    for meta_graph in saved_model.meta_graphs:
        _screen_meta_graph(meta_graph)


def _screen_meta_graph(meta: Any) -> None:
    nodes = {node.name: node for node in meta.graph_def.node}
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    seen: set[str] = set()
    reached = _reach(_starts(meta), nodes)
    _refuse(_ops_of(reached, functions, seen))
    # Functions that Python calls by name, among them those that initialise.
    by_name = [functions[name] for name in meta.object_graph_def.concrete_functions if name in functions]
    for function in by_name:
        if function.signature.name not in seen:
            seen.add(function.signature.name)
            _refuse(_ops_of(function.node_def, functions, seen))
    for node in _reach([meta.saver_def.restore_op_name] if meta.saver_def.restore_op_name else [], nodes):
        if not _is_call(node) and not _RESTORES.fullmatch(node.op):
            raise HostileGraph(_sentence(node.op))


def _starts(meta: Any) -> list[str]:
    """Names of what is run first: outputs of signatures and initialisers."""
    names = [tensor.name for signature in meta.signature_def.values() for tensor in signature.outputs.values()]
    for collection in ("legacy_init_op", "saved_model_main_op", "table_initializer", "init_op"):
        names += meta.collection_def[collection].node_list.value if collection in meta.collection_def else []
    names += [asset.tensor_info.name for asset in meta.asset_file_def]
    for variables in ("variables", "trainable_variables", "local_variables"):
        names += _initialisers(meta, variables)
    return [name for name in names if name]


def _initialisers(meta: Any, collection: str) -> list[str]:
    from tensorflow.core.framework.variable_pb2 import VariableDef

    found = []
    for data in meta.collection_def[collection].bytes_list.value if collection in meta.collection_def else ():
        variable = VariableDef.FromString(data)
        found += [variable.variable_name, variable.initializer_name, variable.snapshot_name]
    return found


def _reach(starts: Iterable[str], nodes: dict[str, Any]) -> list[Any]:
    """The nodes that these need, themselves among them."""
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


def _ops_of(nodes: Iterable[Any], functions: dict[str, Any], seen: set[str]) -> Iterator[str]:
    """The operations of these nodes and of all functions they call, each function once."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        called = [name for name in _called(node) if name in functions]
        if node.op in functions:  # the old way to call one
            called.append(node.op)
        else:
            yield node.op
        for name in called:
            if name not in seen:
                seen.add(name)
                waiting += functions[name].node_def


def _called(node: Any) -> Iterator[str]:
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        yield from (func.name for func in value.list.func)


def _is_call(node: Any) -> bool:
    return node.op in ("StatefulPartitionedCall", "PartitionedCall")


def _refuse(ops: Iterable[str]) -> None:
    for op in ops:
        if _DENIED.search(op):
            raise HostileGraph(_sentence(op))


def _sentence(op: str) -> str:
    return (
        f"It has the operation {op[:80]!r} in it, which can read or write files or reach beyond the network. "
        "Such files are not opened."
    )
