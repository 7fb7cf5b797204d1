"""Test what the confined process finds in a stranger's file, and what it refuses by name."""

import json
import os
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import ml.engines.confined
from ml.backbones.registry import get_backbone
from ml.backbones.spec import CONVERTED, GRAPH, LITE, BackboneSpec, check_files, parse_spec, read_spec, write_backbone
from ml.engines.confined import ConfinedEngine, EngineFailed, in_litert, in_tensorflow
from ml.engines.litert import AS_IT_IS, Adapter, LiteRTEngine
from ml.engines.loading import load_engine
from ml.errors import ImportRefused, first_line
from ml.model_import import opening
from ml.model_import.opening import OpenedNetwork, open_network
from ml.model_import.program import Request, _check_labels
from ml.model_import.sources import MAX_CLASSES
from ml.sandbox.child import ChildKilled
from ml.sandbox.confine import bare_environment
from ml.settings import MLSettings
from tests.network_files import CLASSES, FEATURES, SIZE

LABELS = "a\nb\nc\n"


@pytest.fixture
def pictures() -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.random.default_rng(5).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8)


def open_it(path: Path, tmp_path: Path, request: Request | None = None) -> OpenedNetwork:
    folder = tmp_path / "work"
    folder.mkdir()
    return open_network(path, folder, request or Request(), title="t", source="s")


def test_all_forms_of_a_network_give_the_same_features(
    strange_networks: Path, tmp_path: Path, pictures: object
) -> None:
    """Open a SavedModel of TensorFlow 2, one of TensorFlow 1, and a .tflite file."""
    found = {}
    for name in ("vector", "first", "vector.tflite"):
        opened = open_it(strange_networks / name, tmp_path / name if (tmp_path / name).mkdir() is None else tmp_path)
        spec = opened.spec
        assert (spec.input_size, spec.features, spec.engine) == (SIZE, FEATURES, "litert")
        path = tmp_path / f"{name}.converted"
        path.write_bytes(opened.files[CONVERTED if spec.file == GRAPH else LITE])
        engine = LiteRTEngine(path, adapter=Adapter(spec.scale, spec.offset, spec.logarithm))
        found[name] = engine.embed(pictures)  # type: ignore[arg-type]
    np.testing.assert_allclose(found["first"], found["vector"], atol=1e-5)
    np.testing.assert_allclose(found["vector.tflite"], found["vector"], atol=1e-5)


def test_what_litert_cannot_run_runs_in_tensorflow(strange_networks: Path, tmp_path: Path, pictures: object) -> None:
    opened = open_it(strange_networks / "hard", tmp_path)
    assert opened.spec.engine == "tensorflow"
    assert "Digamma" in opened.litert_refusal
    (tmp_path / GRAPH).write_bytes(opened.files[GRAPH])
    engine = ConfinedEngine(tmp_path / GRAPH, in_tensorflow(), input_size=SIZE, features=FEATURES)
    features = engine.embed(pictures)  # type: ignore[arg-type]
    assert features.shape == (4, FEATURES)
    assert np.isfinite(features).all()
    process = engine._process
    assert process is not None
    process.kill()  # it is started again
    process.wait()
    np.testing.assert_array_equal(engine.embed(pictures), features)  # type: ignore[arg-type]
    engine.close()
    (tmp_path / GRAPH).write_bytes(b"nonsense")
    with pytest.raises(EngineFailed, match="did not process"):
        engine.embed(pictures)  # type: ignore[arg-type]


def test_lite_network_answers_from_a_process_of_its_own_and_cannot_end_ours(
    strange_networks: Path, tmp_path: Path, pictures: object
) -> None:
    path, adapter = tmp_path / LITE, Adapter(1 / 255, 0.0)
    path.write_bytes((strange_networks / "vector.tflite").read_bytes())
    engine = ConfinedEngine(path, in_litert(1, adapter), input_size=SIZE, features=FEATURES)
    np.testing.assert_array_equal(
        engine.embed(pictures),  # type: ignore[arg-type]
        LiteRTEngine(path, adapter=adapter).embed(pictures),  # type: ignore[arg-type]
    )
    engine.close()
    path.write_bytes(path.read_bytes()[:1000])  # LiteRT reads past the end of such a file
    with pytest.raises(EngineFailed, match="did not process"):
        engine.embed(pictures)  # type: ignore[arg-type]


def test_network_that_does_not_end_is_stopped(strange_networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop it even if it no longer reads its input, which is larger than a pipe's buffer."""
    monkeypatch.setattr(ml.engines.confined, "SECONDS", 0.05)
    large = np.zeros((1, 1024, 1024, 3), np.uint8)
    engine = ConfinedEngine(strange_networks / "vector.tflite", in_litert(1, AS_IT_IS), input_size=1024, features=5)
    begun = time.monotonic()
    with pytest.raises(EngineFailed, match="did not process"):
        engine.embed(large)
    assert time.monotonic() - begun < 20


def test_network_that_was_brought_along_never_runs_in_the_process_that_asks(
    strange_networks: Path, tmp_path: Path
) -> None:
    settings = MLSettings(tmp_path / "weights", tmp_path / "backbones")
    opened = open_it(strange_networks / "quantised.tflite", tmp_path)
    write_backbone(opened.spec, opened.files, settings)
    engine = load_engine(get_backbone(opened.spec.name, settings), tmp_path / "backbones", threads=2)
    assert isinstance(engine, ConfinedEngine)
    engine.close()


@pytest.mark.parametrize(
    ("name", "operation"),
    [("table", "InitializeTableFromTextFileV2"), ("hostile.pb", "WriteFile")],
)
def test_operations_on_files_are_refused_by_name(
    name: str, operation: str, strange_networks: Path, tmp_path: Path
) -> None:
    with pytest.raises(ImportRefused, match=f"operation '{operation}'"):
        open_it(strange_networks / name, tmp_path, Request(classifier=name.endswith(".pb"), labels=None))
    assert not (strange_networks / "written").exists()


@pytest.mark.parametrize("name", ["classifier.tflite", "vector.tflite"])
@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_damaged_tflite_is_a_sentence(name: str, damage: str, strange_networks: Path, tmp_path: Path) -> None:
    data = bytearray((strange_networks / name).read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    else:
        data[16:400] = np.random.default_rng(2).bytes(384)
    (tmp_path / "x.tflite").write_bytes(data)
    with pytest.raises(ImportRefused):
        open_it(tmp_path / "x.tflite", tmp_path)


def test_classifier_gives_its_logarithms_and_labels(strange_networks: Path, tmp_path: Path, pictures: object) -> None:
    opened = open_it(strange_networks / "graph.pb", tmp_path, Request(classifier=True, labels=LABELS))
    assert (opened.labels, opened.spec.features) == (["a", "b", "c"], CLASSES)
    (tmp_path / "c").write_bytes(opened.files[CONVERTED])
    logarithms = LiteRTEngine(tmp_path / "c").embed(pictures)  # type: ignore[arg-type]
    np.testing.assert_allclose(np.exp(logarithms).sum(axis=1), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (Request(classifier=True, labels="a\nb\n"), "It returns 3 scores, but there are 2 labels. Send a text file"),
        (Request(classifier=True, labels="a\n"), "It returns 3 scores, but there is 1 label."),
        (Request(classifier=True), "It contains no labels."),
        (Request(classifier=True, labels="a\n\nb\n"), "Label 2 is empty"),
    ],
)
def test_labels_must_fit(request_: Request, sentence: str, strange_networks: Path, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=sentence):
        open_it(strange_networks / "quantised.tflite", tmp_path, request_)


def test_classifier_of_keras_is_the_same_in_all_its_forms(
    strange_networks: Path, tmp_path: Path, pictures: object
) -> None:
    """Open .h5 and TensorFlow.js with labels, both as Teachable Machine exports them, and a current .keras file."""
    found = {}
    for name, labels in (("keras_model.h5", "0 a\n1 b\n2 c\n"), ("js", None), *((name, LABELS) for name in SAVED)):
        (tmp_path / name).mkdir()
        wanted = Request(classifier=True, labels=labels, range="-1..1")
        opened = open_it(stored(strange_networks / name, tmp_path), tmp_path / name, wanted)
        assert opened.labels == ["a", "b", "c"]
        (tmp_path / f"{name}.tflite").write_bytes(opened.files[CONVERTED])
        found[name] = LiteRTEngine(tmp_path / f"{name}.tflite").embed(pictures)  # type: ignore[arg-type]
    for name in found:
        np.testing.assert_allclose(found[name], found["js"], atol=1e-4, err_msg=name)


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", ["sigmoid.keras", "sigmoid.tflite", "logit.keras", "logit.tflite"])
def test_single_output_is_the_score_of_the_second_of_two_labels(
    name: str, strange_networks: Path, tmp_path: Path, pictures: object
) -> None:
    wanted = Request(classifier=True, labels="no\nyes\n", range="-1..1")
    opened = open_it(strange_networks / name, tmp_path, wanted)
    spec = opened.spec
    assert (spec.features, spec.one_output) == (2, name.endswith(".tflite"))
    (tmp_path / "x").write_bytes(opened.files[CONVERTED if spec.file == GRAPH else LITE])
    adapter = Adapter(spec.scale, spec.offset, spec.logarithm, spec.one_output)
    confined = ConfinedEngine(tmp_path / "x", in_litert(1, adapter), input_size=SIZE, features=2)
    found = confined.embed(pictures)  # type: ignore[arg-type]
    confined.close()
    score = raw_scores(strange_networks / "sigmoid.tflite", pictures)
    shares = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, np.concatenate([1 - score, score], axis=1), atol=1e-4)
    assert score.std() > 0.01


@pytest.mark.usefixtures("warm")
def test_single_output_needs_two_labels(strange_networks: Path, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="a single score, and there are 3 labels"):
        open_it(strange_networks / "sigmoid.keras", tmp_path, Request(classifier=True, labels=LABELS))


def raw_scores(path: Path, pictures: object) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return LiteRTEngine(path, adapter=Adapter(1 / 127.5, -1.0)).embed(pictures)  # type: ignore[arg-type]


SAVED = ("model.keras", "compiled.keras", "nested.keras", "new.h5")


def stored(path: Path, tmp_path: Path) -> Path:
    """Return the file as the site stores an upload, without an ending, or the folder itself."""
    if path.is_dir():
        return path
    return Path(shutil.copyfile(path, tmp_path / f"upload {path.stem}".replace(".", "")))


def test_what_keras_says_names_no_path_of_this_machine(strange_networks: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(strange_networks / "model.keras") as whole, zipfile.ZipFile(tmp_path / "x", "w") as broken:
        broken.writestr("config.json", whole.read("config.json"))
        broken.writestr("metadata.json", whole.read("metadata.json"))
        broken.writestr("model.weights.h5", b"no weights")
    with pytest.raises(ImportRefused, match="Keras cannot load this file") as error:
        open_it(tmp_path / "x", tmp_path)
    assert "/" not in str(error.value)
    assert first_line(OSError("no such file: '/srv/site/var/x.keras' in a/b")) == "no such file: '…' in a/b"


def test_layers_that_hold_programs_are_refused_by_name(strange_networks: Path, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="layer or function 'Lambda'"):
        open_it(strange_networks / "lambda.h5", tmp_path)


def test_more_classes_than_a_page_could_hold_are_refused() -> None:
    """Refuse a hundred thousand classes, whose confusion matrix would take 80 GB."""
    labels = [str(number) for number in range(MAX_CLASSES + 1)]
    with pytest.raises(ImportRefused, match="at most 2,000 can be imported"):
        _check_labels(labels, len(labels))
    _check_labels(labels[:-1], MAX_CLASSES)


def test_secrets_of_the_site_are_not_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in bare_environment(tmp_path).values()


@pytest.mark.parametrize("file", [GRAPH, CONVERTED])
def test_name_is_of_the_content_whatever_the_process_claims(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name what is kept after its own digest: a process that was taken over must not replace another's network."""
    names = set()
    claimed = {"file": GRAPH, "input_size": 16, "features": 1, "engine": "litert", "labels": [], "range": "0..1"}
    claimed |= {"sha256": "0" * 64, "converted_sha256": "0" * 64}
    for content in (b"one", b"another"):
        folder = tmp_path / content.decode()
        folder.mkdir()

        def taken_over(*_: object, out: Path = folder / "work" / "out", data: bytes = content, **__: object) -> None:
            (out / GRAPH).write_bytes(b"network")
            (out / CONVERTED).write_bytes(b"converted")
            (out / file).write_bytes(data)
            (out / "found.json").write_text(json.dumps(claimed))

        monkeypatch.setattr(opening, "run_child", taken_over)
        opened = open_it(tmp_path / "x", folder)
        assert opened.files[file] == content
        check_files(opened.spec, opened.files)
        with pytest.raises(ValueError, match="has been changed"):
            check_files(opened.spec, {**opened.files, file: b"other"})
        names.add(opened.spec.name)
    assert len(names) == 2


def test_network_is_kept_under_a_name_of_its_content(tmp_path: Path) -> None:
    settings = MLSettings(tmp_path, tmp_path)
    spec = BackboneSpec(GRAPH, "0" * 64, 32, 5, "litert", title="é", source="s")
    folder = write_backbone(spec, {GRAPH: b"x"}, settings)
    assert write_backbone(spec, {GRAPH: b"x"}, settings) == folder
    assert read_spec(spec.name, settings) == spec
    assert os.listdir(folder.parent) == [spec.name]
    assert BackboneSpec(GRAPH, "0" * 64, 32, 5, "litert", title="e", source="s").name != spec.name


def test_what_a_process_that_was_taken_over_leaves_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("secret")

    def taken_over(module: str, arguments: list[str], **_: object) -> None:
        out = tmp_path / "work" / "out"
        (out / LITE).symlink_to(tmp_path / "secret")
        found = {"file": LITE, "sha256": "0" * 64, "input_size": 16, "features": 1, "engine": "litert", "labels": []}
        (out / "found.json").write_text(json.dumps(found))

    monkeypatch.setattr(opening, "run_child", taken_over)
    with pytest.raises(ImportRefused, match=r"could not be opened\."):
        open_it(tmp_path / "x", tmp_path)


def test_killed_program_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise ChildKilled(-9, "")

    monkeypatch.setattr(opening, "run_child", killed)
    with pytest.raises(ChildKilled):
        open_it(tmp_path / "x", tmp_path)


@pytest.mark.parametrize("wrong", [{"range": ""}, {"range": "1..0"}, {"engine": "litert"}, {"framing": "x"}])
def test_claims_of_a_process_that_was_taken_over_are_checked(
    wrong: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refuse a range that is none, a framing that is none, and a converted form that is not there."""
    claimed = {"file": GRAPH, "input_size": 16, "features": 1, "engine": "tensorflow", "labels": [], "range": "0..1"}

    def taken_over(*_: object, **__: object) -> None:
        (tmp_path / "work" / "out" / GRAPH).write_bytes(b"network")
        (tmp_path / "work" / "out" / "found.json").write_text(json.dumps({**claimed, **wrong}))

    monkeypatch.setattr(opening, "run_child", taken_over)
    with pytest.raises(ImportRefused, match=r"could not be opened\."):
        open_it(tmp_path / "x", tmp_path)


@pytest.mark.parametrize("found", ["[]", "1", "[" * 100_000, '{"labels": 1}'])
def test_nonsense_of_a_process_that_was_taken_over_is_a_sentence(
    found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        opening, "run_child", lambda *_, **__: (tmp_path / "work" / "out" / "found.json").write_text(found)
    )
    with pytest.raises(ImportRefused, match=r"could not be opened\."):
        open_it(tmp_path / "x", tmp_path)


def test_folder_in_which_another_works_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("/etc/passwd")
    gone = [*tmp_path.iterdir(), tmp_path / "renamed meanwhile"]
    monkeypatch.setattr(Path, "rglob", lambda *_: iter(gone))
    assert opening.measure_folder(tmp_path) == (2, 5 + len("/etc/passwd"))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"file": "x"}', '{"file":"../x","sha256":"0","input_size":1,"features":1,"engine":"litert"}'],
)
def test_what_is_no_description_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse_spec(text)
