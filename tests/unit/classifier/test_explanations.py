"""Why a version answers as it does: over the API, in the form and on a picture's page."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image as Picture

from classifier.models import EmbeddingShard, ModelVersion, Project, Sample
from classifier.services import embeddings, explanations, prediction, samples, shards, training_pictures
from classifier.services.datasets import load_dataset
from classifier.services.images import read_picture
from classifier.storage import store_once
from ml.backbones.registry import get_backbone
from ml.engines.embeddings import embedding_key
from ml.serving.current import inference
from ml.training.artifacts import Evaluation, pack_artifact
from ml.training.softmax_regression import fit_head
from poetsweb.folders import ML
from tests.datasets import COLOURS
from tests.pictures import encode, make_jpeg
from tests.unit.classifier.conftest import publish


@pytest.fixture(autouse=True)
def _converted(settings: Any, backbones: Path) -> None:
    settings.ML = replace(settings.ML, backbones_dir=backbones)
    prediction._load_engine.cache_clear()
    training_pictures._held.clear()


@pytest.fixture
def version(filled: Project) -> ModelVersion:
    """Publish a version that tells red, green and blue apart, with the embeddings it was trained on."""
    made = publish(filled)
    frozen = load_dataset(made.dataset_version)
    network: Any = prediction.get_engine("testing")
    found = {one.image.sha256: one.image for one in filled.samples.select_related("image")}
    features = np.stack([inference().features(read_picture(found[sha256]), network) for sha256, *_ in frozen.rows])
    key = embedding_key(get_backbone("testing", ML).digest)
    embeddings.store_embeddings([found[sha256] for sha256, *_ in frozen.rows], features, key)
    head = fit_head(features, np.array([label for _, label, _ in frozen.rows]), 3, penalty=0.01)
    nothing = Evaluation([], np.zeros(0, np.int64), np.zeros((0, 3), np.float32))
    digest, files = pack_artifact({"classes": frozen.classes}, head, nothing)
    for name, data in files.items():
        store_once(f"artifacts/{digest}/{name}", data)
    ModelVersion.objects.filter(pk=made.pk).update(artifact_digest=digest)
    made.refresh_from_db()
    return made


def red_corner() -> bytes:
    """Make a blue picture whose lower right quarter is red."""
    picture = Picture.open(io.BytesIO(make_jpeg(7, size=(64, 64), colour=COLOURS["blue"])))
    picture.paste(COLOURS["red"], (32, 32, 64, 64))
    return encode(picture, "PNG")


def upload(data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("x.jpg", data)


def api(version: ModelVersion) -> str:
    return f"/api/v1/projects/{version.project.slug}/explain"


def test_heat_adds_up_and_lies_where_the_class_is(version: ModelVersion, as_owner: Client) -> None:
    said = as_owner.post(api(version), {"image": upload(red_corner()), "class": "red"}).json()
    assert (said["class"], said["model_version"]) == ("red", 1)
    heat = np.array(said["heat"])
    assert heat.shape == (16, 16)
    assert heat.mean() == pytest.approx(said["logit"], abs=1e-4)
    quarters = heat.reshape(2, 8, 2, 8).mean(axis=(1, 3))
    assert np.unravel_index(quarters.argmax(), (2, 2)) == (1, 1)


def test_probability_is_that_of_the_answer(version: ModelVersion, as_owner: Client) -> None:
    told = as_owner.post(api(version), {"image": upload(red_corner())}).json()
    classify = as_owner.post(f"/api/v1/projects/{version.project.slug}/classify", {"image": upload(red_corner())})
    likeliest = classify.json()["predictions"][0]["classes"][0]
    assert (told["class"], told["probability"]) == (
        likeliest["name"],
        pytest.approx(likeliest["probability"], abs=1e-5),
    )


def test_similar_pictures_are_of_the_training_split(version: ModelVersion, as_owner: Client) -> None:
    said = as_owner.post(api(version), {"image": upload(make_jpeg(99, colour=COLOURS["green"]))}).json()
    training = set(load_dataset(version.dataset_version).sha256s("training"))
    assert {one["class"] for one in said["similar"][:3]} == {"green"}
    assert len(said["similar"]) == 5
    assert {one["sha256"] for one in said["similar"]} <= training
    likeness = [one["likeness"] for one in said["similar"]]
    assert likeness == sorted(likeness, reverse=True)
    for one in said["similar"]:
        sample = Sample.objects.select_related("image").get(pk=one["id"], project=version.project)
        assert (sample.image.sha256, sample.file_name) == (one["sha256"], one["file"])


def test_picture_in_the_trash_is_no_longer_shown(version: ModelVersion, as_owner: Client) -> None:
    picture = {"image": upload(make_jpeg(99, colour=COLOURS["green"]))}
    gone = as_owner.post(api(version), picture).json()["similar"][0]["id"]
    chosen = Sample.objects.filter(pk=gone)
    samples.delete_samples(version.project, chosen, by=version.project.owner)
    picture["image"].seek(0)
    said = as_owner.post(api(version), picture).json()["similar"]
    assert gone not in {one["id"] for one in said}
    assert len(said) == 5


def test_similar_pictures_are_the_same_where_a_training_is_too_large_to_be_held(
    version: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask() -> Any:
        return as_owner.post(api(version), {"image": upload(red_corner())}).json()["similar"]

    held = ask()
    assert training_pictures._held
    training_pictures._held.clear()
    monkeypatch.setattr(training_pictures, "HELD_BYTES", 1)
    monkeypatch.setattr(training_pictures, "_PART", 4)
    assert ask() == held
    assert not training_pictures._held


def test_similar_pictures_are_the_same_where_embeddings_are_in_files(
    version: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def ask() -> Any:
        training_pictures._held.clear()
        return as_owner.post(api(version), {"image": upload(red_corner())}).json()["similar"]

    before = ask()
    monkeypatch.setattr(shards, "PICTURES", 4)
    settings.EMBEDDINGS_IN_DATABASE = 0
    shards.tend_shards()
    assert EmbeddingShard.objects.count() > 1
    assert ask() == before
    for shard in EmbeddingShard.objects.all():
        default_storage.delete(shard.path)
    assert ask() == []


def test_stored_picture_is_not_similar_to_itself(version: ModelVersion, as_owner: Client) -> None:
    training = load_dataset(version.dataset_version).sha256s("training")
    sample = version.project.samples.filter(image__sha256__in=training).first()
    said = as_owner.get(f"/api/v1/projects/{version.project.slug}/samples/{sample.pk}/explain").json()
    assert len(said["similar"]) == 5
    assert sample.pk not in {one["id"] for one in said["similar"]}


@pytest.mark.parametrize("accept", [False, True])
def test_heat_is_drawn_over_the_picture(version: ModelVersion, as_owner: Client, accept: bool) -> None:
    headers, query = ({"Accept": "image/png"}, "") if accept else ({}, "?format=png")
    response = as_owner.post(api(version) + query, {"image": upload(red_corner()), "class": "red"}, headers=headers)
    assert response["Content-Type"] == "image/png"
    pixels = np.asarray(Picture.open(io.BytesIO(response.content)), np.int64)
    assert pixels.shape == (64, 64, 3)
    redder = (pixels[..., 0] - pixels[..., 2]).reshape(2, 32, 2, 32).mean(axis=(1, 3))
    assert np.unravel_index(redder.argmax(), (2, 2)) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "query", "status", "sentence"),
    [
        ({"class": "mauve"}, "", 422, "This version has no class “mauve”."),
        ({}, "?version=9", 404, "This project has no version “9”."),
        ({}, "?format=gif", 422, "format"),
        ({"klass": "red"}, "", 422, "This call has no field “klass”"),
    ],
)
def test_what_cannot_be_explained_gets_a_sentence(
    version: ModelVersion, as_owner: Client, fields: dict[str, str], query: str, status: int, sentence: str
) -> None:
    response = as_owner.post(api(version) + query, {"image": upload(red_corner()), **fields})
    assert response.status_code == status
    assert sentence in response.json()["error"]


@pytest.mark.parametrize("query", ["", "?format=png"])
def test_unreadable_picture_gets_a_sentence(version: ModelVersion, as_owner: Client, query: str) -> None:
    response = as_owner.post(api(version) + query, {"image": upload(b"<html>")})
    assert response.status_code == 422
    assert "not a picture" in response.json()["error"]


def test_lost_picture_is_not_found(version: ModelVersion, as_owner: Client) -> None:
    sample = version.project.samples.select_related("image").first()
    default_storage.delete(sample.image.path)
    assert as_owner.get(f"/api/v1/projects/{version.project.slug}/samples/{sample.pk}/explain").status_code == 404
    page = as_owner.get(reverse("picture_why", args=[version.project.slug, sample.pk])).content.decode()
    assert "The picture’s file cannot be read now." in page


def test_picture_of_another_project_is_not_explained(version: ModelVersion, as_stranger: Client, stranger: Any) -> None:
    from classifier.services.projects import create_project

    mine, sample = create_project("Mine", by=stranger), version.project.samples.first()
    assert as_stranger.get(f"/api/v1/projects/{mine.slug}/samples/{sample.pk}/explain").status_code == 404
    assert as_stranger.get(reverse("picture_why", args=[mine.slug, sample.pk])).status_code == 404


def test_form_shows_why_with_a_choice_of_classes_and_pictures(version: ModelVersion, as_owner: Client) -> None:
    address = reverse("classify", args=[version.project.slug])
    plain = as_owner.post(address, {"image": upload(red_corner())}).content.decode()
    assert 'data-why=""' in plain
    assert "data-why-part" not in plain
    page = as_owner.post(address, {"image": upload(red_corner()), "why": "red"}).content.decode()
    assert "Why “red”?" in page
    assert 'src="data:image/jpeg;base64,' in page
    assert 'data-why="green"' in page
    assert page.count("data-opens") == 5


def test_form_explains_the_likeliest_class_of_each_readable_file(version: ModelVersion, as_owner: Client) -> None:
    files = [
        upload(make_jpeg(50, colour=COLOURS["green"])),
        upload(b"<html>"),
        upload(make_jpeg(51, colour=COLOURS["red"])),
    ]
    address = reverse("classify", args=[version.project.slug])
    page = as_owner.post(address, {"image": files, "why": ""}).content.decode()
    assert "Why “green”?" in page
    assert "Why “red”?" in page
    assert page.count("data-why-part") == 2


def test_form_with_an_unknown_class_still_answers(version: ModelVersion, as_owner: Client) -> None:
    address = reverse("classify", args=[version.project.slug])
    page = as_owner.post(address, {"image": upload(red_corner()), "why": "<b>"}).content.decode()
    assert "This version has no class “&lt;b&gt;”." in page
    assert "<progress" in page


def test_picture_page_leads_to_why_and_to_the_other_classes(version: ModelVersion, as_owner: Client) -> None:
    sample = version.project.samples.filter(image_class__name="red").first()
    address = reverse("picture_why", args=[version.project.slug, sample.pk])
    more = as_owner.get(reverse("picture_more", args=[version.project.slug, sample.pk])).content.decode()
    assert f'href="{address}?version=1"' in more
    page = as_owner.get(f"{address}?version=1").content.decode()
    assert "Why “red”?" in page
    assert f"{address}?version=1&amp;class=green" in page
    part = as_owner.get(f"{address}?class=green", headers={"HX-Request": "true"}).content.decode()
    assert "Why “green”?" in part
    assert "<html" not in part


@pytest.mark.parametrize(("query", "status"), [("?version=7", 404), ("?klass=red", 400)])
def test_wrong_question_on_the_page(version: ModelVersion, as_owner: Client, query: str, status: int) -> None:
    address = reverse("picture_why", args=[version.project.slug, version.project.samples.first().pk])
    assert as_owner.get(address + query).status_code == status


def test_network_without_a_map_shows_a_sentence_and_no_button(
    version: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explanations, "_has_map", lambda path: False)
    slug, sample = version.project.slug, version.project.samples.first()
    response = as_owner.post(api(version), {"image": upload(red_corner())})
    assert response.status_code == 422
    assert "This network has no heat map" in response.json()["error"]
    form = as_owner.post(reverse("classify", args=[slug]), {"image": upload(red_corner()), "why": ""}).content.decode()
    more = as_owner.get(reverse("picture_more", args=[slug, sample.pk])).content.decode()
    for page in (form, more):
        assert "network has no heat map" in page
        assert "Why?" not in page


def test_network_that_is_gone_has_no_map(version: ModelVersion) -> None:
    assert explanations.may_explain("testing")
    assert not explanations.may_explain("net_" + 20 * "0")
