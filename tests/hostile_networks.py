"""Networks that reach for what is not theirs, made in a process of its own: `make_hostile_networks(folder)`.

Each hides its operation in another place. `written…` beside them is what they would write, `secret` what they would
read.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.network_files import SIZE

SECRET = b"the secret of the site"
ENOUGH = [None, SIZE, SIZE, 3]


def make_hostile_networks(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile_networks", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def main(folder: Path) -> None:
    import tensorflow as tf

    (folder / "secret").write_bytes(SECRET)
    _frozen(tf, folder)
    _saved(tf, folder)


def _frozen(tf, folder: Path) -> None:  # type: ignore[no-untyped-def]
    def reads(x):  # type: ignore[no-untyped-def]
        found = tf.raw_ops.ImmutableConst(
            dtype=tf.uint8, shape=[len(SECRET)], memory_region_name=str(folder / "secret")
        )
        return tf.reduce_mean(x, axis=[1, 2]) + tf.reduce_sum(tf.cast(found, tf.float32))

    def dumps(x):  # type: ignore[no-untyped-def]
        mean = tf.reduce_mean(x, axis=[1, 2])
        texts = {"log_dir_path": str(folder), "file_name": "written", "func_name": "", "node_name": ""}
        attributes = {name: tf.compat.v1.AttrValue(s=text.encode()) for name, text in texts.items()}
        attributes |= {"T": tf.compat.v1.AttrValue(type=1), "enabled": tf.compat.v1.AttrValue(b=True)}
        mean.graph.create_op("DumpTensor", [mean], [], attrs=attributes, name="dump")
        return mean

    def calls(x):  # type: ignore[no-untyped-def]
        @tf.function(autograph=False)
        def inner(y):  # type: ignore[no-untyped-def]
            return tf.cond(tf.reduce_sum(y) > 0, lambda: reads(y), lambda: tf.reduce_mean(y, axis=[1, 2]))

        return inner(x)

    for name, look in (("maps.pb", reads), ("dumps.pb", dumps), ("branch.pb", calls)):
        with tf.Graph().as_default() as graph:
            tf.identity(look(tf.compat.v1.placeholder(tf.float32, ENOUGH, "input")), name="final_result")
        (folder / name).write_bytes(graph.as_graph_def().SerializeToString())
    _shadowed(tf, folder)


def _shadowed(tf, folder: Path) -> None:  # type: ignore[no-untyped-def]
    """Make a function named like an operation, which nothing calls but which may be substituted for it."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, ENOUGH, "input")
        found = tf.cast(tf.strings.length(tf.io.read_file(str(folder / "secret"))), tf.float32)
        tf.identity(tf.reduce_mean(x, axis=[1, 2]) + found, name="final_result")
    shadowed = graph.as_graph_def()
    shadowed.library.function.add().signature.name = "ReadFile"
    (folder / "shadow.pb").write_bytes(shadowed.SerializeToString())
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, ENOUGH, "input")
        tf.identity(tf.reduce_mean(x, axis=[1, 2]), name="final_result")
    swapped = graph.as_graph_def()
    function = swapped.library.function.add()
    function.signature.name = "never_called"
    function.node_def.add(name="read", op="ReadFile")
    (folder / "uncalled.pb").write_bytes(swapped.SerializeToString())


def _saved(tf, folder: Path) -> None:  # type: ignore[no-untyped-def]
    """Make a file of TensorFlow 1, whose loading runs the restoring operation and what it needs."""
    v1 = tf.compat.v1

    def writes_function():  # type: ignore[no-untyped-def]
        @tf.function(autograph=False)
        def write():  # type: ignore[no-untyped-def]
            tf.io.write_file(str(folder / "written"), "gotcha")
            return tf.constant(1)

        return write().op

    def saves():  # type: ignore[no-untyped-def]
        return v1.raw_ops.SaveV2(
            prefix=str(folder / "written"), tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1.0)]
        )

    for name, hidden in (("restores", writes_function), ("saves", saves)):
        with tf.Graph().as_default(), v1.Session() as session:
            images = v1.placeholder(tf.float32, ENOUGH, "images")
            filters = v1.get_variable("kernel", initializer=1.0, use_resource=False)
            output = filters * tf.reduce_mean(images, axis=[1, 2])
            saver = v1.train.Saver()
            restore = session.graph.get_operation_by_name(saver.saver_def.restore_op_name)
            restore._add_control_input(hidden())  # what a file can say, and the library will not
            session.run(v1.global_variables_initializer())
            signature = v1.saved_model.build_signature_def(
                {"images": v1.saved_model.build_tensor_info(images)},
                {"default": v1.saved_model.build_tensor_info(output)},
            )
            builder = v1.saved_model.Builder(str(folder / name))
            builder.add_meta_graph_and_variables(session, [], {"image_feature_vector": signature}, saver=saver)
            builder.save()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
