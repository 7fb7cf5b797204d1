"""Test what range of numbers a network is given, and how that is told from the file."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from ml.engines.confined import ConfinedEngine, in_tensorflow
from ml.engines.litert import Adapter, LiteRTEngine
from ml.engines.tflite_metadata import Metadata, read_metadata, write_metadata
from ml.errors import ImportRefused
from ml.images.rendering import Framing
from ml.model_import import tflite_files, tflite_head
from ml.model_import.opening import OpenedNetwork, open_network
from ml.model_import.program import Request
from ml.model_import.ranges import name_range, range_before, range_of_weights, relative_scaling, scaling_of
from ml.model_import.trial import choose_range
from tests.network_files import FEATURES, SIZE

pytestmark = pytest.mark.usefixtures("warm")

LABELS = "a\nb\nc\n"


def open_it(path: Path, tmp_path: Path, **wanted: object) -> OpenedNetwork:
    folder = tmp_path / f"work {path.name}"
    folder.mkdir()
    request = Request(**{"classifier": True, "labels": LABELS, **wanted})  # type: ignore[arg-type]
    return open_network(path, folder, request, title="t", source="s")


@pytest.mark.parametrize(
    ("scale", "offset", "expected"),
    [
        (1 / 255, 0, "0..255"),
        (1 / 127.5, -1, "0..255"),
        (1 / 128, -127 / 128, "0..255"),
        (1, -116, "0..255"),  # less ImageNet's mean
        (1 / 58, -2, "0..255"),
        (0.5, 0.5, "-1..1"),
        (2, -1, "0..1"),
        (255, 0, "0..1"),
        (4.4, -2.1, "0..1"),
        (128, 128, "label_image"),  # our own frozen graphs
        (1, 0, ""),
        (0.7, 3, ""),
    ],
)
def test_first_step_tells_the_range(scale: float, offset: float, expected: str) -> None:
    assert range_before([(scale, offset)]) == expected


def test_most_exact_of_the_first_steps_tells() -> None:
    """Do not take the first half of (x + 1) / 2 for pixels that are shifted a little."""
    assert range_before([(1, 1), (0.5, 0.5)]) == "-1..1"
    assert range_before([(1 / 255, 0), (0.02, -2.1)]) == "0..255"
    assert range_before([]) == ""


def test_scalings_have_names() -> None:
    for name in ("0..1", "-1..1", "0..255", "label_image"):
        assert name_range(*scaling_of(name)) == name
    assert name_range(1 / 100, -0.5) == "-0.5..2.05"
    assert scaling_of("-0.5..2.05") == pytest.approx((1 / 100, -0.5))
    scale, offset = relative_scaling("-1..1", "0..1")
    assert (0.25 * 255 * scale + offset) / 255 == pytest.approx(-0.5)
    for wrong in ("1..0", "0..nan", "x", ""):
        with pytest.raises(ValueError):
            scaling_of(wrong)


def test_small_weights_show_that_a_scaling_was_merged() -> None:
    assert range_of_weights(0.08 / 255, 27) == "0..255"
    assert range_of_weights(0.08, 27) == ""
    assert range_of_weights(0.0, 27) == ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rescaling.keras", ("0..255", "inside", "whole")),
        ("normalised.keras", ("0..255", "inside", "whole")),
        ("plain.keras", ("0..255", "assumed", "whole")),
        ("rescaling.tflite", ("0..255", "inside", "whole")),
        ("tenth.tflite", ("0..255", "inside", "whole")),
        ("plain.tflite", ("-1..1", "assumed", "whole")),
        ("keras_model.h5", ("-1..1", "inside", "whole")),
        ("js", ("-1..1", "inside", "whole")),
        ("graph.pb", ("label_image", "inside", "unsmoothed")),
    ],
)
def test_file_shows_how_it_sees_pictures(
    name: str, expected: tuple[str, str, str], strange_networks: Path, tmp_path: Path
) -> None:
    opened = open_it(strange_networks / name, tmp_path)
    assert (opened.spec.range, opened.range_reason, opened.spec.framing) == expected
    if name == "plain.tflite":
        chosen = open_it(
            strange_networks / name,
            tmp_path / "x" if (tmp_path / "x").mkdir() is None else tmp_path,
            range="0..1",
            framing="centre",
        )
        assert (chosen.spec.range, chosen.range_reason, chosen.spec.framing) == ("0..1", "chosen", Framing.CENTRE)
        assert chosen.spec.name != opened.spec.name


def test_whole_numbers_are_given_as_they_are(strange_networks: Path, tmp_path: Path) -> None:
    opened = open_it(strange_networks / "quantised.tflite", tmp_path)
    assert opened.range_reason == "whole_numbers"
    assert scaling_of(opened.spec.range) == pytest.approx((opened.spec.scale, opened.spec.offset), rel=1e-4)


@pytest.mark.parametrize("name", ["teachable.h5", "teachable.tflite"])
def test_teachable_machine_is_known_by_its_network(name: str, strange_networks: Path, tmp_path: Path) -> None:
    """Know it whatever its labels look like: it takes -1..1, and the centre square."""
    opened = open_it(strange_networks / name, tmp_path, labels="sleep\nawake\n")
    assert (opened.spec.range, opened.range_reason, opened.spec.framing) == ("-1..1", "teachable", "centre")


def test_numbered_labels_do_not_make_it_teachable_machine(strange_networks: Path, tmp_path: Path) -> None:
    opened = open_it(strange_networks / "plain.keras", tmp_path, labels="0 a\n1 b\n2 c\n")
    assert (opened.labels, opened.spec.range, opened.spec.framing) == (["a", "b", "c"], "0..255", "whole")


def test_metadata_of_a_tflite_file_tell_range_and_labels(strange_networks: Path, tmp_path: Path) -> None:
    data = (strange_networks / "plain.tflite").read_bytes()
    path = tmp_path / "with metadata"
    path.write_bytes(write_metadata(data, title="T", version="1", labels_file="names.txt", mean=0.0, std=255.0))
    with zipfile.ZipFile(path, "a") as within:
        within.writestr("names.txt", "x\ny\nz\n")
    assert read_metadata(path) == Metadata((0.0,), (255.0,), b"x\ny\nz\n")
    opened = open_it(path, tmp_path, labels=None)
    assert (opened.labels, opened.spec.range, opened.range_reason) == (["x", "y", "z"], "0..1", "metadata")
    assert (opened.spec.scale, opened.spec.offset) == pytest.approx((1 / 255, 0))
    assert read_metadata(strange_networks / "plain.tflite") == Metadata()


@pytest.mark.parametrize("seed", range(20))
def test_damaged_metadata_tell_nothing(seed: int, strange_networks: Path, tmp_path: Path) -> None:
    data = (strange_networks / "plain.tflite").read_bytes()
    whole = bytearray(write_metadata(data, title="T", version="1", labels_file="names.txt"))
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(whole), 200):
        whole[place] = rng.integers(0, 256)
    (tmp_path / "x").write_bytes(bytes(whole))
    read_metadata(tmp_path / "x")
    tflite_head.told_by_head(tmp_path / "x")
    tflite_head.is_teachable(tmp_path / "x")


def test_each_colour_with_a_mean_of_its_own_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite_files, "read_metadata", lambda path: Metadata((123.0, 116.0, 103.0), (58.0,)))
    with pytest.raises(ImportRefused, match="Choose the range that is nearest"):
        tflite_files._scaling_of_metadata(tmp_path)


def test_edge_tpu_file_is_a_sentence(strange_networks: Path, tmp_path: Path) -> None:
    import flatbuffers

    network = schema.ModelT.InitFromObj(schema.Model.GetRootAs((strange_networks / "plain.tflite").read_bytes(), 0))
    for code in network.operatorCodes:
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = "edgetpu-custom-op"
    builder = flatbuffers.Builder(2**16)
    builder.Finish(network.Pack(builder), b"TFL3")
    (tmp_path / "x").write_bytes(bytes(builder.Output()))
    with pytest.raises(ImportRefused, match="compiled for the Edge TPU"):
        open_it(tmp_path / "x", tmp_path)


def test_graph_that_does_not_say_its_size_says_what_to_give(strange_networks: Path, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="does not say how large its pictures are, and 224 pixels do not fit"):
        open_it(strange_networks / "shapeless.pb", tmp_path)
    (tmp_path / "again").mkdir()
    assert open_it(strange_networks / "shapeless.pb", tmp_path / "again", input_size=24).spec.input_size == 24


@pytest.mark.parametrize("name", ["plain.tflite", "plain.keras"])
def test_best_range_is_found_on_pictures(name: str, strange_networks: Path, tmp_path: Path) -> None:
    """Open it with a wrong range; the labels are what it answers with the right one."""
    pictures = np.random.default_rng(3).integers(0, 256, (40, SIZE, SIZE, 3), dtype=np.uint8)
    pictures //= np.arange(1, 41, dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis]
    right = LiteRTEngine(strange_networks / "plain.tflite", adapter=Adapter(*scaling_of("-1..1")))
    labels = right.embed(pictures).argmax(axis=1)
    assert len(set(labels.tolist())) > 1
    for wrong in ("0..255", "0..1", "-1..1"):
        (tmp_path / wrong).mkdir()
        opened = open_it(strange_networks / name, tmp_path / wrong, range=wrong)
        assert choose_range(opened, pictures, labels, tmp_path) == "-1..1"


def test_stored_graph_gets_another_range(strange_networks: Path, tmp_path: Path) -> None:
    """Open what was kept once more, without the file it came from: as if it had been given that range at first."""
    pictures = np.random.default_rng(5).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8)
    found = {}
    first = open_it(strange_networks / "plain.keras", tmp_path, range="0..1")
    (tmp_path / "network.pb").write_bytes(first.files["network.pb"])
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    again = open_it(
        tmp_path / "network.pb", tmp_path / "a", range="-1..1", built_in="0..1", input_size=SIZE, framing="centre"
    )
    direct = open_it(strange_networks / "plain.keras", tmp_path / "b", range="-1..1")
    assert (again.spec.range, again.spec.framing, again.labels) == ("-1..1", "centre", ["a", "b", "c"])
    for key, opened in (("again", again), ("direct", direct)):
        (tmp_path / key).write_bytes(opened.files["converted.tflite"])
        found[key] = LiteRTEngine(tmp_path / key).embed(pictures)
    np.testing.assert_allclose(found["again"], found["direct"], atol=1e-4)


def test_range_is_tried_with_networks_that_only_tensorflow_runs(strange_networks: Path, tmp_path: Path) -> None:
    pictures = np.random.default_rng(3).integers(0, 256, (12, SIZE, SIZE, 3), dtype=np.uint8)
    labels = "".join(f"label {number}\n" for number in range(FEATURES))
    opened = {}
    for name in ("-1..1", "0..1"):
        (tmp_path / name).mkdir()
        opened[name] = open_it(strange_networks / "hard", tmp_path / name, range=name, labels=labels)
        assert opened[name].spec.engine == "tensorflow"
    (tmp_path / "right.pb").write_bytes(opened["-1..1"].files["network.pb"])
    right = ConfinedEngine(tmp_path / "right.pb", in_tensorflow(), input_size=SIZE, features=FEATURES)
    answers = right.embed(pictures).argmax(axis=1)
    right.close()
    assert choose_range(opened["0..1"], pictures, answers, tmp_path) == "-1..1"
