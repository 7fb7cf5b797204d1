"""Exported files, used as a stranger uses them: unpacked elsewhere, by the code that lies beside them."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ml.exports.registry import FEWER_BITS, FORMATS
from tests.datasets import COLOURS
from tests.integration.test_whole_path import make_trained_project
from tests.pictures import make_jpeg
from tests.site import Client

pytestmark = pytest.mark.site

# What the original label_image.py does with a graph, by its defaults.
LABEL_IMAGE = """
import sys
import numpy as np
import tensorflow.compat.v1 as tf
graph_def = tf.GraphDef()
graph_def.ParseFromString(open("retrained_graph.pb", "rb").read())
graph = tf.Graph()
with graph.as_default():
    tf.import_graph_def(graph_def)
    decoded = tf.image.decode_jpeg(tf.read_file(sys.argv[1]), channels=3)
    resized = tf.image.resize_bilinear(tf.expand_dims(tf.cast(decoded, tf.float32), 0), [32, 32])
    normalized = tf.divide(tf.subtract(resized, [128]), [128])
picture = tf.Session(graph=graph).run(normalized)
source = graph.get_operation_by_name("import/input").outputs[0]
target = graph.get_operation_by_name("import/final_result").outputs[0]
scores = np.squeeze(tf.Session(graph=graph).run(target, {source: picture}))
labels = [line.rstrip() for line in open("retrained_labels.txt")]
print(labels[scores.argmax()])
"""


# What an app for a phone does with MediaPipe's task library: it gives the model no more than a picture.
MEDIAPIPE = """
import sys
import mediapipe
options = mediapipe.tasks.vision.ImageClassifierOptions(mediapipe.tasks.BaseOptions(model_asset_path="model.tflite"))
with mediapipe.tasks.vision.ImageClassifier.create_from_options(options) as classifier:
    for path in sys.argv[1:]:
        (found,) = classifier.classify(mediapipe.Image.create_from_file(path)).classifications
        for one in found.categories:
            print(path, one.category_name, one.score, sep="\\t")
"""
MEDIAPIPE_PYTHON = os.environ.get("POETSWEB_MEDIAPIPE_PYTHON")  # one that has it: it needs many packages of its own


@pytest.fixture(scope="module")
def slug(owner: Client) -> str:
    return make_trained_project(owner, "Exported")[0]


def run_elsewhere(folder: Path, *arguments: str, python: str = sys.executable) -> str:
    """Run it in an empty environment and another folder, with nothing of ours near."""
    command = [python, *arguments]
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def export(owner: Client, slug: str, format: str, folder: Path) -> Path:
    """Make it, fetch it, unpack it."""
    version = f"/projects/{slug}/versions/1"
    number = owner.ok("POST", f"{version}/exports", {"format": format})["job"]
    assert owner.ok("POST", f"{version}/exports", {"format": format})["job"] == number
    job = owner.succeed(number)
    assert job["result"]["export"] == format
    (listed,) = [one for one in owner.ok("GET", f"{version}/exports") if one["format"] == format]
    certificate = listed["certificate"]
    assert certificate["passed"]
    assert (certificate["n"], certificate["agreement"]) == (3, 1.0)
    assert certificate["largest_difference"] < (0.02 if FORMATS[format].bar == FEWER_BITS else 1e-3)
    data = owner.fetch(f"{version}/exports/{format}")
    assert (len(data), hashlib.sha256(data).hexdigest()) == (listed["size"], listed["sha256"])
    zipfile.ZipFile(io.BytesIO(data)).extractall(folder)
    return folder / f"{slug}-v1-{format}"


def check_with_mediapipe(folder: Path, expected: dict[str, list[str]]) -> None:
    """Ask MediaPipe about the pictures: it finds normalisation and names in the file itself."""
    said = run_elsewhere(folder, "-c", MEDIAPIPE, *expected, python=str(MEDIAPIPE_PYTHON))
    rows = [row.split("\t") for row in said.splitlines()]
    assert {name for _, name, _ in rows} == set(COLOURS)
    best = {path: (name, float(score)) for path, name, score in reversed(rows)}
    for path, (name, score) in expected.items():
        assert best[path] == (name, pytest.approx(float(score), abs=0.02))


@pytest.mark.parametrize("format", FORMATS)
def test_file_answers_elsewhere_as_the_site_does(format: str, slug: str, owner: Client, tmp_path: Path) -> None:
    if FORMATS[format].unavailable_reason:
        pytest.skip(FORMATS[format].unavailable_reason)
    folder = export(owner, slug, format, tmp_path)
    pictures = {name: make_jpeg(4711, colour=colour) for name, colour in COLOURS.items()}
    for name, data in pictures.items():
        (tmp_path / f"{name}.jpg").write_bytes(data)
    said = run_elsewhere(folder, "classify.py", *[str(tmp_path / f"{name}.jpg") for name in pictures])
    best = {Path(row.split("\t")[0]).stem: row.split("\t")[1:] for row in reversed(said.splitlines())}
    for name, data in pictures.items():
        here = owner.ok("POST", f"/projects/{slug}/classify", {}, [("image", "x.jpg", data)])
        first = here["predictions"][0]["classes"][0]
        assert best[name][0] == first["name"] == name
        assert float(best[name][1]) == pytest.approx(first["probability"], abs=0.02)
    if format.startswith("tflite") and MEDIAPIPE_PYTHON:
        check_with_mediapipe(folder, {str(tmp_path / f"{name}.jpg"): best[name] for name in pictures})
    if format == "frozen_graph":
        assert run_elsewhere(folder, "-c", LABEL_IMAGE, str(tmp_path / "blue.jpg")).strip() == "blue"
