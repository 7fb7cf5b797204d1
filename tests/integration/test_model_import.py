"""Test the networks that people add, as backbones to train with, and as versions that were trained elsewhere."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from ml.images.decoding import load_picture
from ml.images.rendering import Framing
from tests.datasets import COLOURS, coloured_pictures, make_zip
from tests.network_files import SIZE, pack_folder
from tests.pictures import make_jpeg
from tests.site import Client, Site

pytestmark = pytest.mark.site

LABELS = b"crimson\nteal\nochre\n"


@pytest.fixture(scope="module")
def slug(owner: Client) -> str:
    slug = str(owner.ok("POST", "/projects", {"name": "Strange networks"})["slug"])
    archive = [("file", "colours.zip", make_zip(coloured_pictures(6)))]
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"])
    return slug


def add(owner: Client, body: Any = None, files: Any = None) -> dict[str, Any]:
    """Add a backbone and return its job once it has ended."""
    return dict(owner.wait_job(owner.ok("POST", "/backbones", body, files)["job"]))


def listed(owner: Client, name: str) -> dict[str, Any]:
    (found,) = [one for one in owner.ok("GET", "/backbones") if one["name"] == name]
    return dict(found)


def train(owner: Client, slug: str, backbone: str) -> int:
    job = owner.succeed(owner.ok("POST", f"/projects/{slug}/train", {"backbone": backbone, "promote": True})["job"])
    return int(job["result"]["model_version"])


def classify(owner: Client, slug: str) -> list[str]:
    pictures = [("image", f"{name}.jpg", make_jpeg(4711, colour=colour)) for name, colour in COLOURS.items()]
    answer = owner.ok("POST", f"/projects/{slug}/classify", {}, pictures)
    return [found["classes"][0]["name"] for found in answer["predictions"]]


def test_backbone_from_a_tf_hub_address_trains_answers_and_is_exported(
    slug: str, owner: Client, stranger: Client, site: Site, hub_address: str
) -> None:
    job = add(owner, {"handle": f"{hub_address}/moved", "title": "Small vector", "licence": "Apache-2.0"})
    assert job["status"] == "SUCCEEDED", job["error"]
    name = job["result"]["backbone"]
    known = listed(owner, name)
    assert (known["title"], known["input_size"], known["features"]) == ("Small vector", SIZE, 12)
    assert (known["licence"], known["engine"], known["own"]) == ("Apache-2.0", "litert", True)
    assert known["ready"]
    assert known["images_per_second"] > 0
    number = train(owner, slug, name)
    assert classify(owner, slug) == list(COLOURS)
    for format in ("tflite", "frozen_graph"):
        exported = owner.ok("POST", f"/projects/{slug}/versions/{number}/exports", {"format": format})
        owner.succeed(exported["job"])

    served = f"/hub/backbones/{name}/1"
    assert stranger.get(served) == 404
    assert owner.get(served) == 503  # a worker makes it now
    assert site.wait(lambda: owner.get(served) == 200, 60)

    assert name not in {one["name"] for one in stranger.ok("GET", "/backbones")}
    other = stranger.ok("POST", "/projects", {"name": "Not theirs"})["slug"]
    status, answer = stranger.call("POST", f"/projects/{other}/train", {"backbone": name})
    assert (status, answer["error"]) == (422, "You have no backbone of this name.")
    assert stranger.call("GET", f"/jobs/{job['id']}")[0] == 404


def test_what_litert_cannot_run_is_answered_by_a_worker(slug: str, owner: Client, strange_networks: Path) -> None:
    job = add(owner, {}, [("file", "hard.tar.gz", pack_folder(strange_networks / "hard"))])
    assert job["status"] == "SUCCEEDED", job["error"]
    known = listed(owner, job["result"]["backbone"])
    assert (known["engine"], known["title"], known["ready"]) == ("tensorflow", "hard.tar.gz", True)
    train(owner, slug, known["name"])
    assert classify(owner, slug) == list(COLOURS)


def test_tflite_file_is_a_backbone(slug: str, owner: Client, strange_networks: Path) -> None:
    job = add(owner, {}, [("file", "vector.tflite", (strange_networks / "vector.tflite").read_bytes())])
    assert job["status"] == "SUCCEEDED", job["error"]
    number = train(owner, slug, job["result"]["backbone"])
    assert classify(owner, slug) == list(COLOURS)
    status, answer = owner.call("POST", f"/projects/{slug}/versions/{number}/exports", {"format": "saved_model"})
    assert status == 409
    assert "added as a .tflite file" in answer["error"]


def test_address_that_gives_nothing_is_a_sentence(owner: Client, hub_address: str) -> None:
    job = add(owner, {"handle": f"{hub_address}/missing"})
    assert job["error"] == "127.0.0.1 answered with status 404 (Not Found)."


def send(owner: Client, slug: str, file: tuple[str, bytes], labels: bytes | None = LABELS) -> dict[str, Any]:
    files = [("graph", *file)] + ([("labels", "labels.txt", labels)] if labels else [])
    return dict(owner.wait_job(owner.ok("POST", f"/projects/{slug}/imports", {"promote": "true"}, files)["job"]))


def reference(strange_networks: Path, picture: bytes, framing: Framing = Framing.WHOLE) -> np.ndarray[Any, Any]:
    """Return what the same classifier predicts as a .tflite file, from -1 to 1, by LiteRT alone."""
    interpreter = Interpreter(model_path=str(strange_networks / "classifier.tflite"))
    interpreter.allocate_tensors()
    pixels = load_picture(picture, SIZE, framing=framing)[np.newaxis].astype(np.float32) / 128 - 1
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])


def answers(owner: Client, slug: str, picture: bytes) -> dict[str, float]:
    answer = owner.ok("POST", f"/projects/{slug}/classify", {}, [("image", "a.jpg", picture)])
    return {found["name"]: found["probability"] for found in answer["predictions"][0]["classes"]}


def test_frozen_graph_becomes_a_version_that_answers_as_it_did(owner: Client, strange_networks: Path) -> None:
    slug = owner.ok("POST", "/projects", {"name": "Old graph"})["slug"]
    graph = ("retrained_graph.pb", (strange_networks / "graph.pb").read_bytes())
    job = send(owner, slug, graph)
    assert job["status"] == "SUCCEEDED", job["error"]
    assert job["result"]["model_version"] == 1
    picture = make_jpeg(12, colour=(200, 30, 90))
    said = answers(owner, slug, picture)
    wanted = reference(strange_networks, picture, Framing.UNSMOOTHED)
    assert [said[label] for label in ("crimson", "teal", "ochre")] == pytest.approx(wanted.tolist(), abs=1e-4)
    (version,) = owner.ok("GET", f"/projects/{slug}/versions")
    assert version["live"]
    assert version["config"]["recipe"] == "imported"
    assert version["metrics"]["test_accuracy"] is None
    again = send(owner, slug, graph)
    assert again["result"] | {"counts": None} == job["result"] | {"unchanged": True, "counts": None}


@pytest.mark.parametrize("name", ["classifier.tflite", "quantised.tflite"])
def test_tflite_classifier_becomes_a_version(name: str, owner: Client, strange_networks: Path) -> None:
    """Import it as Teachable Machine packs it, with numbered labels."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model_unquant.tflite", (strange_networks / name).read_bytes())
        archive.writestr("labels.txt", "0 crimson\n1 teal\n2 ochre\n")
    slug = owner.ok("POST", "/projects", {"name": f"Teachable {name}"})["slug"]
    job = send(owner, slug, ("converted_tflite.zip", buffer.getvalue()), labels=None)
    assert job["status"] == "SUCCEEDED", job["error"]
    picture = make_jpeg(13, colour=(40, 90, 220))
    said = answers(owner, slug, picture)
    wanted = reference(strange_networks, picture)
    close = 1e-2 if name == "classifier.tflite" else 0.05  # 127.5 instead of 128; eight bits
    assert [said[label] for label in ("crimson", "teal", "ochre")] == pytest.approx(wanted.tolist(), abs=close)


def test_hostile_graph_is_not_opened(owner: Client, strange_networks: Path) -> None:
    slug = owner.ok("POST", "/projects", {"name": "Hostile"})["slug"]
    job = send(owner, slug, ("graph.pb", (strange_networks / "hostile.pb").read_bytes()))
    assert job["status"] == "FAILED"
    assert "operation 'WriteFile'" in job["error"]
    assert not (strange_networks / "written").exists()
    assert owner.ok("GET", f"/projects/{slug}")["classes"] == []


FORMATS = {
    "frozen_graph": ["retrained_graph.pb", "retrained_labels.txt"],
    "saved_model": ["", ""],
    "tflite": ["model.tflite", ""],
    "keras": ["", ""],
}


@pytest.fixture(scope="module")
def trained(owner: Client) -> str:
    slug = str(owner.ok("POST", "/projects", {"name": "Round trip"})["slug"])
    archive = [("file", "colours.zip", make_zip(coloured_pictures(8)))]
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"])
    train(owner, slug, "testing")
    return slug


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_exported_can_be_imported_and_answers_the_same(
    format: str, trained: str, owner: Client, site: Site
) -> None:
    exported = owner.ok("POST", f"/projects/{trained}/versions/1/exports", {"format": format})
    owner.succeed(exported["job"])
    whole = owner.fetch(f"/projects/{trained}/versions/1/exports/{format}")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        (folder,) = {name.split("/")[0] for name in archive.namelist()}
        graph, labels = (archive.read(f"{folder}/{name}") if name else b"" for name in FORMATS[format])
    slug = owner.ok("POST", "/projects", {"name": f"Back from {format}"})["slug"]
    archive = [("file", "colours.zip", make_zip(coloured_pictures(8)))]
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"])
    job = send(owner, slug, (FORMATS[format][0] or "export.zip", graph or whole), labels or None)
    assert job["status"] == "SUCCEEDED", job["error"]
    (version,) = owner.ok("GET", f"/projects/{slug}/versions")
    assert version["metrics"]["test_n"] == len(COLOURS)
    for number, colour in enumerate(COLOURS.values()):
        picture = make_jpeg(70 + number, colour=colour)
        here, there = answers(owner, trained, picture), answers(owner, slug, picture)
        assert there == pytest.approx(here, abs=1e-4)
    if format == "frozen_graph":  # and out again
        again = owner.ok("POST", f"/projects/{slug}/versions/1/exports", {"format": "frozen_graph"})
        owner.succeed(again["job"])


def test_range_that_the_file_does_not_tell_is_tried_and_can_be_changed(owner: Client, strange_networks: Path) -> None:
    """Import what expects 0 to 1, as most tutorials train, into a project with its own test pictures."""
    slug = str(owner.ok("POST", "/projects", {"name": "Tried"})["slug"])
    colours = {"crimson": (220, 20, 60), "teal": (0, 128, 128), "ochre": (204, 119, 34)}
    pictures = {name: [make_jpeg(number, colour=colour) for number in range(8)] for name, colour in colours.items()}
    files = {f"{name}/{place}.jpg": data for name, all in pictures.items() for place, data in enumerate(all)}
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {}, [("file", "c.zip", make_zip(files))])["job"])
    job = send(owner, slug, ("model.keras", (strange_networks / "plain.keras").read_bytes()))
    assert job["status"] == "SUCCEEDED", job["error"]
    (version,) = owner.ok("GET", f"/projects/{slug}/versions")
    seen = version["config"]["pictures"]
    assert (seen["range_reason"], seen["tried_on"], seen["framing"]) == ("tried", 3, "whole")
    asked = {"range": "0..255" if seen["range"] == "0..1" else "0..1", "framing": "centre"}
    owner.succeed(owner.ok("POST", f"/projects/{slug}/versions/1/reimport", asked)["job"])
    newest, oldest = owner.ok("GET", f"/projects/{slug}/versions")
    assert (newest["live"], oldest["live"]) == (False, True)
    seen = newest["config"]["pictures"]
    assert (seen["range"], seen["range_reason"], seen["framing"]) == (asked["range"], "chosen", "centre")
