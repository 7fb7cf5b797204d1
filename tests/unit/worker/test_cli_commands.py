"""`retrain`, `label_image` and `evaluate`: from a folder to a graph that names pictures, in the original's words."""

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from classifier.management.commands import evaluate, label_image
from ml.settings import MLSettings
from ml.training.artifacts import Evaluation, pack_artifact
from ml.training.head import Head
from ml.training.rejection import Rejection
from poetsweb.folders import ML
from tests.datasets import COLOURS, coloured_pictures
from tests.pictures import make_jpeg
from worker.management.commands import retrain


@pytest.fixture(autouse=True)
def _converted(backbones: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(replace(ML, backbones_dir=backbones), monkeypatch)


def use(settings: MLSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands have these settings."""
    for command in (evaluate, label_image, retrain):
        monkeypatch.setattr(command, "ML", settings)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name, data in coloured_pictures(25).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "LICENSE.txt").write_text("free")
    return folder


def flags(photos: Path, out: Path) -> dict[str, Any]:
    return {
        "image_dir": photos,
        "architecture": "testing",
        "output_graph": out / "graph" / "retrained_graph.pb",
        "output_labels": out / "graph" / "retrained_labels.txt",
        "intermediate_output_graphs_dir": out / "intermediate",
        "summaries_dir": out / "logs",
        "bottleneck_dir": out / "bottlenecks",
        "checkpoint_path": out / "checkpoint",
        "how_many_training_steps": 60,
    }


def run(command: str, *arguments: str, **given: Any) -> tuple[str, str]:
    said, warned = io.StringIO(), io.StringIO()
    words = [f"--{name}={value}" for name, value in given.items()]
    call_command(command, *words, *arguments, stdout=said, stderr=warned)
    return said.getvalue(), warned.getvalue()


@pytest.fixture(scope="module")
def made(photos: Path, tmp_path_factory: pytest.TempPathFactory, backbones: Path) -> Path:
    """Give the folder of everything that one command writes."""
    out = tmp_path_factory.mktemp("out")
    (out / "logs").mkdir()
    (out / "logs" / "thesis.txt").write_text("years of work")
    with pytest.MonkeyPatch.context() as patch:
        use(replace(ML, backbones_dir=backbones), patch)
        given = flags(photos, out)
        said, warned = run("retrain", saved_model_dir=out / "saved", intermediate_store_frequency=20, **given)
    (out / "said.txt").write_text(said)
    (out / "warned.txt").write_text(warned)
    return out


def test_says_what_the_original_says(made: Path) -> None:
    said = (made / "said.txt").read_text().splitlines()
    assert "75 bottleneck files created." in said
    for line in (r"Step 10: Train accuracy = \d+\.\d%", r"Step 10: Cross entropy = \d+\.\d{6}"):
        assert any(re.fullmatch(line, one) for one in said)
    assert any(re.fullmatch(r"Step 60: Validation accuracy = \d+\.\d% \(N=6\)", one) for one in said)
    assert re.fullmatch(r"Final test accuracy = \d+\.\d% \(N=6\)", said[-1])
    assert "LICENSE.txt: It is not a picture." in (made / "warned.txt").read_text()


def test_writes_graph_labels_and_intermediate_graphs(made: Path) -> None:
    assert (made / "graph" / "retrained_labels.txt").read_text() == "blue\ngreen\nred\n"
    found = sorted(path.name for path in (made / "intermediate").iterdir())
    assert found == ["intermediate_20.pb", "intermediate_40.pb", "intermediate_60.pb"]


@pytest.mark.slow
def test_summaries_are_events_and_other_files_stay(made: Path) -> None:
    import tensorflow as tf

    assert (made / "logs" / "thesis.txt").read_text() == "years of work"
    for name in ("train", "validation"):
        (path,) = (made / "logs" / name).iterdir()
        events = list(tf.compat.v1.train.summary_iterator(str(path)))
        assert events[0].file_version == "brain.Event:2"
        assert [event.step for event in events[1:]] == [10, 20, 30, 40, 50, 60]
        tags = {value.tag for value in events[1].summary.value}
        assert {"accuracy_1", "cross_entropy_1", "learning_rate"} <= tags
        assert {"final_training_ops/weights/summaries/histogram", "final_training_ops/biases/summaries/mean"} <= tags


@pytest.mark.parametrize("graph", ["graph/retrained_graph.pb", "saved", "intermediate/intermediate_60.pb"])
def test_what_was_made_names_pictures(graph: str, made: Path, tmp_path: Path) -> None:
    for name, colour in COLOURS.items():
        (tmp_path / f"{name}.jpg").write_bytes(make_jpeg(4711, colour=colour))
    files = [str(tmp_path / f"{name}.jpg") for name in COLOURS]
    given = {"graph": made / graph, "labels": made / "graph" / "retrained_labels.txt"}
    said, _ = run("label_image", "--json", *files, **given)
    answers = [json.loads(line) for line in said.splitlines()]
    assert [answer["file"] for answer in answers] == files
    assert [answer["classes"][0]["name"] for answer in answers] == list(COLOURS)

    said, _ = run("label_image", image=files[0], **given)
    assert "Evaluation time (1-image): " in said
    assert re.search(r"^red \(score=0\.\d{5}\)$", said, re.MULTILINE)


def test_again_nothing_is_computed_anew_and_the_graph_is_the_same(photos: Path, made: Path, tmp_path: Path) -> None:
    given = {**flags(photos, tmp_path), "bottleneck_dir": made / "bottlenecks"}
    said, _ = run("retrain", **given)
    assert "bottleneck files created" not in said
    graphs = [folder / "graph" / "retrained_graph.pb" for folder in (made, tmp_path)]
    files = [str(photos / "red" / "0.jpg")]
    first, second = (json.loads(run("label_image", "--json", *files, graph=graph)[0]) for graph in graphs)
    assert first["classes"] == second["classes"]


def test_augmented_copies_are_computed_once_and_make_another_graph(photos: Path, made: Path, tmp_path: Path) -> None:
    given = {**flags(photos, tmp_path), "random_crop": 10, "random_brightness": 30, "augmented_copies": 2}
    said, _ = run("retrain", "--flip_left_right", **given)
    created = [int(line.split()[0]) for line in said.splitlines() if line.endswith("bottleneck files created.")]
    assert created == [75, 63, 63]  # all pictures, then both views of the 63 that are for training
    assert len(list((tmp_path / "bottlenecks").glob("*/*/*.f32"))) == 75 + 2 * 63
    first = classes_of(tmp_path, photos)

    said, _ = run("retrain", "--flip_left_right", **given)
    assert "bottleneck files created" not in said
    assert classes_of(tmp_path, photos) == first != classes_of(made, photos)
    assert first[0]["name"] == "red"


def classes_of(out: Path, photos: Path) -> Any:
    """Return how the graph in this folder classifies a red picture."""
    graph = out / "graph" / "retrained_graph.pb"
    return json.loads(run("label_image", "--json", str(photos / "red" / "0.jpg"), graph=graph)[0])["classes"]


def test_below_the_bar_nothing_is_written(photos: Path, made: Path, tmp_path: Path) -> None:
    given = {**flags(photos, tmp_path), "bottleneck_dir": made / "bottlenecks"}
    given |= {"how_many_training_steps": 1, "learning_rate": 1e-9, "assert_accuracy_at_least": 1}
    with pytest.raises(CommandError, match=r"below --assert_accuracy_at_least=1\. Nothing was written"):
        run("retrain", "--print_misclassified_test_images", **given)
    assert not (tmp_path / "graph").exists()


def test_misclassified_pictures_are_named(photos: Path, made: Path, tmp_path: Path) -> None:
    given = {**flags(photos, tmp_path), "bottleneck_dir": made / "bottlenecks"}
    given |= {"how_many_training_steps": 1, "learning_rate": 1e-9}
    said, _ = run("retrain", "--print_misclassified_test_images", **given)
    lines = said.splitlines()
    wrong = lines[lines.index("=== MISCLASSIFIED TEST IMAGES ===") + 1 :]
    assert wrong
    for line in wrong:
        path, named = line.rsplit(maxsplit=1)
        assert Path(path.strip()).is_file()
        assert named != Path(path.strip()).parent.name


def test_own_tensor_name(photos: Path, made: Path, tmp_path: Path) -> None:
    given = {**flags(photos, tmp_path), "bottleneck_dir": made / "bottlenecks", "final_tensor_name": "answer"}
    run("retrain", **given)
    file, graph = str(photos / "red" / "0.jpg"), tmp_path / "graph" / "retrained_graph.pb"
    assert "red (score=" in run("label_image", file, graph=graph, output_layer="answer")[0]
    with pytest.raises(CommandError, match=r"has no node 'final_result'\. Give the right one: --output_layer=NAME"):
        run("label_image", file, graph=graph)


@pytest.mark.parametrize(
    ("given", "words", "status"),
    [
        ({"image_dir": "/nowhere"}, "There is no folder /nowhere", 1),
        ({"augmented_copies": 5}, "augmented_copies only has an effect together with one of flip_left_right", 2),
        ({"tfhub_module": "no address"}, "Give the address of a network on the web", 1),
        ({"project": "x", "tfhub_module": "https://tfhub.dev/x"}, "--tfhub_module does not go with --project", 2),
        ({"project": "x", "intermediate_store_frequency": 1}, "--intermediate_store_frequency does not go", 2),
        ({"output_graph": "/"}, "/ is a folder", 1),
    ],
)
def test_refusals(given: dict[str, Any], words: str, status: int, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=words) as refused:
        run("retrain", **{**flags(photos, tmp_path), **given})
    assert refused.value.returncode == status


def test_folder_with_other_things_is_not_taken_for_the_saved_model(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CommandError, match="is not empty"):
        run("retrain", saved_model_dir=tmp_path, **flags(photos, tmp_path / "out"))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no graph", "cannot be used as a graph"), (b"", "has no node 'input'"), (None, "There is no graph")],
)
def test_what_is_no_graph(content: bytes | None, words: str, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n")
    if content is not None:
        (tmp_path / "graph.pb").write_bytes(content)
    with pytest.raises(CommandError, match=words):
        run("label_image", str(photos / "red" / "0.jpg"), graph=tmp_path / "graph.pb")


def test_one_bad_picture_does_not_stop_the_others(photos: Path, made: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    said, warned = io.StringIO(), io.StringIO()
    graph = f"--graph={made / 'graph' / 'retrained_graph.pb'}"
    files = [str(tmp_path / "bad.jpg"), str(photos / "red" / "0.jpg")]
    with pytest.raises(CommandError, match="Not all pictures could be read"):
        call_command("label_image", graph, *files, stdout=said, stderr=warned)
    assert "red (score=" in said.getvalue()
    assert "bad.jpg: " in warned.getvalue()


def test_tflite_file_as_the_graph(backbones: Path, photos: Path, tmp_path: Path) -> None:
    (network,) = backbones.glob("testing-*.tflite")
    (tmp_path / "graph.tflite").write_bytes(network.read_bytes())
    (tmp_path / "labels.txt").write_text("".join(f"feature {number}\n" for number in range(48)))
    said, _ = run("label_image", "--json", str(photos / "red" / "0.jpg"), graph=tmp_path / "graph.tflite")
    assert len(json.loads(said)["classes"]) == 5

    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(CommandError, match="returns 48 scores, but there are 2 labels"):
        run("label_image", str(photos / "red" / "0.jpg"), graph=tmp_path / "graph.tflite")


TELL_TENSORFLOW = """
import os, sys
from manage import main
os._exit = sys.exit  # there is something to be said after it
sys.argv = ["manage.py", *sys.argv[1:]]
try:
    main()
finally:
    modules = sys.modules
    print("tensorflow" if "tensorflow" in modules else "no tensorflow", "site" if "ninja" in modules else "")
"""


def run_apart(*arguments: str, backbones: Path) -> list[str]:
    """Return the lines of a command in a process of its own; the last one tells what was loaded."""
    environment = {**os.environ, "POETSWEB_DATA": str(backbones.parent)}
    done = subprocess.run(
        [sys.executable, "-c", TELL_TENSORFLOW, *arguments], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def graph_of_others(made: Path, tmp_path: Path) -> Path:
    """Write the same graph but for a byte that nothing depends on: nobody has seen it before."""
    content = (made / "graph" / "retrained_graph.pb").read_bytes()
    path = tmp_path / "graph.pb"
    path.write_bytes(content + b"\x22\x00")  # an empty `versions` once more, field 4
    (tmp_path / "labels.txt").write_bytes((made / "graph" / "retrained_labels.txt").read_bytes())
    return path


@pytest.mark.slow
def test_graph_that_retrain_wrote_needs_no_tensorflow(made: Path, backbones: Path, photos: Path) -> None:
    graph, picture = made / "graph" / "retrained_graph.pb", str(photos / "green" / "3.jpg")
    lines = run_apart("label_image", f"--graph={graph}", "--json", picture, backbones=backbones)
    assert lines[-1] == "no tensorflow "
    assert json.loads(lines[0])["classes"][0]["name"] == "green"


@pytest.mark.slow
def test_graph_of_others_needs_tensorflow_once(graph_of_others: Path, backbones: Path, photos: Path) -> None:
    arguments = ["label_image", f"--graph={graph_of_others}", "--json", str(photos / "blue" / "2.jpg")]
    first, second = (run_apart(*arguments, backbones=backbones) for _ in range(2))
    assert (first[-1], second[-1]) == ("tensorflow ", "no tensorflow ")
    classes = [
        {one["name"]: one["probability"] for one in json.loads(lines[0])["classes"]} for lines in (first, second)
    ]
    assert classes[0] == pytest.approx(classes[1], abs=1e-5)


@pytest.mark.slow
def test_saved_model_needs_tensorflow_once(made: Path, backbones: Path, photos: Path) -> None:
    labels = made / "graph" / "retrained_labels.txt"
    arguments = [
        "label_image",
        f"--graph={made / 'saved'}",
        f"--labels={labels}",
        "--json",
        str(photos / "red" / "1.jpg"),
    ]
    run("label_image", *arguments[1:])
    lines = run_apart(*arguments, backbones=backbones)
    assert lines[-1] == "no tensorflow "
    assert json.loads(lines[0])["classes"][0]["name"] == "red"


def test_evaluate_sees_the_test_pictures_of_the_training(made: Path, photos: Path) -> None:
    final = (made / "said.txt").read_text().splitlines()[-1]
    graph = str(made / "graph" / "retrained_graph.pb")
    said, _ = run("evaluate", graph, image_dir=photos)
    accuracy, entropy = (line for line in said.splitlines() if line.startswith(("Accuracy", "Cross")))
    shown = re.fullmatch(r"Accuracy: (\d\.\d{4}) \(N=(\d+), 95% from [\d.]+ to [\d.]+\)", accuracy)
    assert shown is not None
    assert final == f"Final test accuracy = {100 * float(shown[1]):.1f}% (N={shown[2]})"
    assert float(entropy.split()[-1]) > 0
    told = json.loads(run("evaluate", "--json", graph, image_dir=photos)[0].splitlines()[-1])
    assert (told["n"], f"{told['accuracy']:.4f}") == (int(shown[2]), shown[1])


def test_evaluate_refuses_labels_that_are_not_the_folders(made: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("blue\ngreen\nviolet\n")
    with pytest.raises(CommandError, match="has no label 'red'"):
        run("evaluate", graph=made / "graph" / "retrained_graph.pb", labels=tmp_path / "l.txt", image_dir=photos)


def test_checkpoint_is_the_last_layer(made: Path) -> None:
    with np.load(made / "checkpoint.npz", allow_pickle=False) as arrays:
        assert (arrays["weights"].shape, arrays["bias"].shape) == ((48, 3), (3,))


@pytest.mark.parametrize(
    ("verbosity", "steps", "warnings"), [("INFO", True, True), ("WARN", False, True), ("FATAL", False, False)]
)
def test_verbosity(verbosity: str, steps: bool, warnings: bool, photos: Path, made: Path, tmp_path: Path) -> None:
    given = {**flags(photos, tmp_path), "bottleneck_dir": made / "bottlenecks", "logging_verbosity": verbosity}
    said, warned = run("retrain", **given)
    assert ("Step 10: " in said) == steps
    assert ("LICENSE.txt" in warned) == warnings
    assert said.splitlines()[-1].startswith("Final test accuracy = ")


def test_module_of_tf_hub_in_the_place_of_an_architecture(
    photos: Path, hub_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(MLSettings(tmp_path / "weights", tmp_path / "backbones"), monkeypatch)
    given = {**flags(photos, tmp_path), "tfhub_module": f"{hub_address}/vector", "how_many_training_steps": 200}
    said, _ = run("retrain", learning_rate=1, **given)
    assert "Opening the module (only once) …" in said
    assert float(re.findall(r"Final test accuracy = ([\d.]+)%", said)[0]) > 60
    assert classes_of(tmp_path, photos)[0]["name"] == "red"
    monkeypatch.setattr("ml.cli.hub_modules.open_network", lambda *_, **__: pytest.fail("it was opened again"))
    assert "Opening" not in run("retrain", learning_rate=1, **given)[0]


def test_artifact_of_the_site_as_the_graph(photos: Path, made: Path, tmp_path: Path) -> None:
    with np.load(made / "checkpoint.npz", allow_pickle=False) as arrays:
        head = Head(arrays["weights"], arrays["bias"])
    manifest = {"backbone": {"name": "testing"}, "classes": [[7, "blau"], [8, "grün"], [9, "rot"]]}
    nothing = Evaluation([], np.empty(0, np.int64), np.empty((0, 3), np.float32))
    _, files = pack_artifact(manifest, head, nothing, Rejection(others=(2,)))
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    pictures = [str(photos / label / "0.jpg") for label in ("green", "red")]
    said, _ = run("label_image", "--json", *pictures, graph=tmp_path)
    told = [json.loads(line) for line in said.splitlines()]
    assert [one["classes"][0]["name"] for one in told] == ["grün", "rot"]
    assert [(one["none_of_these"], one["reason"]) for one in told] == [(False, ""), (True, "other")]
    assert "none of these: " in run("label_image", pictures[1], graph=tmp_path)[0]
    (tmp_path / "head.npz").write_bytes(files["head.npz"][:-9])
    with pytest.raises(CommandError, match="do not match"):
        run("label_image", str(photos / "green" / "0.jpg"), graph=tmp_path)
