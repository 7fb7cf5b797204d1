"""Test that exports run in processes that are watched and stopped, and whose failures are reported in sentences."""

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ml.backbones.frozen_graphs import ensure_graph
from ml.backbones.registry import get_backbone
from ml.engines.tflite_metadata import Metadata, read_metadata
from ml.exports import run
from ml.exports.parts import Parts, one_line_labels
from ml.exports.registry import FORMATS
from ml.exports.run import ExportFailed, build_export, certify_export
from ml.images.decoding import load_picture
from ml.images.rendering import Framing
from ml.training.artifacts import Evaluation
from ml.training.head import Head
from ml.training.out_of_distribution import fit_detector
from ml.training.rejection import NEVER, NOTHING_REFUSED, Rejection, refused
from poetsweb.folders import ML
from tests.pictures import encode, exif, make_jpeg
from tests.shipped import answers_of

TESTING = get_backbone("testing", ML)
HEAD = Head(np.random.default_rng(1).standard_normal((TESTING.features, 3)).astype(np.float32), np.zeros(3, np.float32))
PARTS = Parts("Colours\nof things", 7, TESTING, HEAD, ["red", "a\nb", "<script>苹果"])


def certify(
    folder: Path, evaluation: Evaluation, rejection: Rejection, pictures: dict[str, bytes], name: str = "tflite"
) -> dict[str, Any]:
    read = pictures.__getitem__
    return certify_export(
        FORMATS[name], folder, evaluation, rejection, read, lambda: None, lambda done: None, unconfined=True
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a .tflite export."""
    return build_export(FORMATS["tflite"], PARTS, tmp_path_factory.mktemp("export"), lambda: None)


def test_parts_survive_the_way_to_the_child(tmp_path: Path) -> None:
    PARTS.write(tmp_path)
    read = Parts.read(tmp_path)
    assert (read.title, read.version, read.backbone, read.labels) == (PARTS.title, 7, TESTING, PARTS.labels)
    np.testing.assert_array_equal(read.head.weights, HEAD.weights)


def test_a_label_is_one_line() -> None:
    assert one_line_labels(PARTS.labels) == "red\na b\n<script>苹果\n"


def test_who_may_not_go_on_stops_the_child(tmp_path: Path) -> None:
    def cancelled() -> None:
        raise KeyError("cancelled")

    with pytest.raises(KeyError):
        build_export(FORMATS["tflite"], PARTS, tmp_path, cancelled)
    assert list((tmp_path / "export").iterdir()) == []


@pytest.mark.slow
def test_failure_of_the_child_is_a_sentence(tmp_path: Path) -> None:
    wrong = replace(PARTS, head=Head(np.zeros((5, 3), np.float32), HEAD.bias))  # not as many features as there are
    with pytest.raises(ExportFailed, match=r"The files could not be created \(status 1\)\. \w+"):
        build_export(FORMATS["tflite"], wrong, tmp_path, lambda: None)


def test_link_among_the_files_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse a link: a network that took the process over must not make us pack the site's files."""

    def taken_over(*_: object, folder: Path, **__: object) -> None:
        (folder / "export" / "labels.txt").symlink_to("/etc/passwd")

    monkeypatch.setattr(run, "run_child", taken_over)
    with pytest.raises(ExportFailed, match="something other than files"):
        build_export(FORMATS["tflite"], PARTS, tmp_path, lambda: None)


@pytest.mark.slow
def test_files_are_certified_by_what_they_answer(files: Path) -> None:
    assert {path.name for path in files.iterdir()} >= {"model.tflite", "labels.txt", "README.md", "classify.py"}
    assert "# Colours of things, version 7" in (files / "README.md").read_text()
    pictures = {str(number): make_jpeg(number) for number in range(5)}
    wrong = np.full((5, 3), 1 / 3, np.float32)
    evaluation = Evaluation(list(pictures), np.zeros(5, np.int64), wrong)
    done: list[int] = []
    read = pictures.__getitem__
    found = certify_export(
        FORMATS["tflite"], files, evaluation, NOTHING_REFUSED, read, lambda: None, done.append, unconfined=True
    )
    assert not found["passed"]  # the site's answers are made up here, and the file's are not them
    assert found["n"] == 5
    assert found["milliseconds"] > 0


@pytest.mark.slow
def test_labels_and_metadata_lie_within_the_tflite_file(files: Path) -> None:
    with zipfile.ZipFile(files / "model.tflite") as within:
        assert within.read("labels.txt") == (files / "labels.txt").read_bytes()
        metadata = json.loads(within.read("metadata.json"))
    assert metadata["labels"] == PARTS.labels
    assert metadata["input"] == {"shape": [None, 32, 32, 3], "colours": "RGB", "range": [0, 255], "dtype": "float32"}


@pytest.mark.slow
def test_tflite_metadata_say_what_it_takes_and_gives(files: Path) -> None:
    known = read_metadata(files / "model.tflite")
    assert known == Metadata((0.0,), (1.0,), (files / "labels.txt").read_bytes())


def odd_pictures() -> dict[str, bytes]:
    """Return pictures that a program which only calls Pillow's `convert` would see in another way."""
    rng = np.random.default_rng(4)
    colours = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1))
    seen_through = colours.copy()
    seen_through.putalpha(Image.fromarray(rng.integers(0, 256, (160, 240), dtype=np.uint8)))
    deep = Image.fromarray(rng.integers(0, 4096, (50, 50), dtype=np.uint16) * 16)
    return {
        "deep.png": encode(deep, "PNG"),
        "deep.tif": encode(deep, "TIFF"),
        "float.tif": encode(Image.fromarray(rng.random((50, 50), np.float32)), "TIFF"),
        "transparent.png": encode(seen_through, "PNG"),
        "key.png": encode(colours.convert("P"), "PNG", transparency=3),
        "cmyk.jpg": encode(colours.convert("CMYK"), "JPEG"),
        "turned.jpg": encode(colours, "JPEG", exif=exif(6)),
    }


@pytest.mark.slow
@pytest.mark.parametrize("framing", Framing)
def test_shipped_program_sees_odd_pictures_as_the_site_does(framing: Framing, files: Path, tmp_path: Path) -> None:
    folder, pictures = tmp_path / "export", odd_pictures()
    shutil.copytree(files, folder)
    facts = json.loads((folder / "metadata.json").read_text())
    assert facts["framing"] == "whole"
    (folder / "metadata.json").write_text(json.dumps({**facts, "framing": framing}))
    for name, data in pictures.items():
        (tmp_path / name).write_bytes(data)
    seen = np.stack([load_picture(data, 32, framing=framing) for data in pictures.values()])
    expected = HEAD.probabilities(np.asarray(TESTING.build_network()(seen.astype(np.float32))))
    found = answers_of(folder, *(tmp_path / name for name in pictures))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_shipped_program_goes_on_after_what_is_no_picture(files: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(make_jpeg(1))
    (tmp_path / "b.jpg").write_text("no picture")
    command = [sys.executable, str(files / "classify.py"), *(str(tmp_path / name) for name in ("b.jpg", "a.jpg"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "b.jpg cannot be read" in done.stderr
    assert done.stdout.splitlines()[0].split("\t")[1] in {"red", "a b", "<script>苹果"}


@pytest.mark.slow
def test_certificate_is_won_by_the_program_that_is_shipped(files: Path, tmp_path: Path) -> None:
    """Refuse an export whose program sees pictures in another way, though its network is right."""
    pictures = odd_pictures()
    seen = np.stack([load_picture(data, 32) for data in pictures.values()])
    expected = HEAD.probabilities(np.asarray(TESTING.build_network()(seen.astype(np.float32))))
    evaluation = Evaluation(list(pictures), expected.argmax(axis=1), expected)
    for broken in (False, True):
        folder = tmp_path / str(broken) / "export"
        shutil.copytree(files, folder)
        if broken:
            reader = "import io\nimport numpy as np\nfrom PIL import Image\n\ndef load_picture(data, size, framing):\n"
            reader += "    return np.asarray(Image.open(io.BytesIO(data)).convert('RGB').resize((size, size)))\n"
            (folder / "pictures" / "__init__.py").write_text(reader)
        found = certify_export(
            FORMATS["tflite"],
            folder,
            evaluation,
            NOTHING_REFUSED,
            pictures.__getitem__,
            lambda: None,
            lambda done: None,
            unconfined=True,
        )
        assert found["passed"] is not broken, found
        assert broken or found["largest_difference"] < 1e-4


@pytest.mark.slow
def test_nothing_to_calibrate_with_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="There are no training pictures to calibrate with"):
        build_export(FORMATS["tflite_int8"], PARTS, tmp_path, lambda: None)


def see(pictures: list[bytes]) -> np.ndarray:
    return np.asarray(TESTING.build_network()(np.stack([load_picture(one, 32) for one in pictures]).astype(np.float32)))


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["all", "likeness", "probabilities"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_refuses_what_the_site_refuses(name: str, rule: str, tmp_path: Path) -> None:
    format = FORMATS[name]
    if format.unavailable_reason or (rule != "all" and name not in ("tflite", "keras")):
        pytest.skip("One format of each way to do it is enough, and extras may be absent.")
    colours = [(190, 60, 60), (60, 170, 60), (60, 60, 190)]
    known = [make_jpeg(number, colour=colours[number % 3]) for number in range(30)]
    labels = np.arange(30) % 3
    detector = fit_detector(see(known), labels, [str(number) for number in range(30)])
    new = [make_jpeg(100 + number, colour=colours[number % 3]) for number in range(9)]
    new += [make_jpeg(200 + number, colour=(240, 240, 20)) for number in range(6)]
    features = see(new)
    probabilities = HEAD.probabilities(features)
    least = np.full(3, np.median(probabilities.max(axis=1)) + 1e-4, np.float32)
    rejection = Rejection(
        detector if rule != "probabilities" else None,
        least if rule == "probabilities" else None,
        (int(probabilities[0].argmax()),) if rule == "all" and not format.calibrates else (),
    )
    pictures, likeness = {str(number): data for number, data in enumerate(new)}, rejection.likeness(features)
    expected = refused(rejection.judge(probabilities, likeness))
    assert 0 < expected.sum() < len(expected)
    evaluation = Evaluation(list(pictures), np.arange(15) % 3, probabilities, likeness)
    calibration = np.stack([load_picture(one, 32) for one in known])
    ensure_graph(TESTING)
    parts = replace(PARTS, rejection=rejection, calibration=calibration)
    folder = build_export(format, parts, tmp_path, lambda: None)
    found = certify(folder, evaluation, rejection, pictures, name)
    assert found["passed"] or format.calibrates, found  # a head made of random numbers does not survive eight bits
    assert found["none_of_these_agreement"] >= (1 - 1 / 15 if format.calibrates else 1.0)


@pytest.mark.slow
def test_a_file_that_refuses_other_pictures_is_not_certified(files: Path, tmp_path: Path) -> None:
    pictures = {str(number): make_jpeg(number) for number in range(5)}
    probabilities = HEAD.probabilities(see(list(pictures.values())))
    evaluation = Evaluation(list(pictures), probabilities.argmax(axis=1), probabilities)
    strict = Rejection(None, np.full(3, NEVER, np.float32))
    shutil.copytree(files, tmp_path / "export")
    found = certify(tmp_path / "export", evaluation, strict, pictures)
    assert not found["passed"]
    assert found["none_of_these_agreement"] == 0.0
