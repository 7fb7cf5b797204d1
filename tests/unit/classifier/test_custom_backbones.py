"""Bringing custom_backbones along: the forms, what is refused at once, and what the pages show of each."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier.jobs import lifecycle
from classifier.jobs.state import read_state
from classifier.models import CustomBackbone, Job, ModelVersion, Project
from classifier.services import custom_backbones, remote
from classifier.services.backbone_trash import remove_backbone
from classifier.services.custom_backbones import find_backbone, publish_backbone, request_backbone
from classifier.services.uploads import delete_read_archives
from ml.backbones.spec import LITE, BackboneMissing, BackboneSpec, Origin, custom_backbone_dir
from ml.errors import ImportRefused
from ml.model_import.opening import OpenedNetwork
from ml.training.config import ConfigError, TrainConfig

ADDRESS = "https://example.org/models/small/1"


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Any) -> None:
    settings.ML = replace(settings.ML, weights_dir=tmp_path / "weights")


def opened(engine: str = "litert", title: str = "Small") -> OpenedNetwork:
    sha256 = hashlib.sha256(b"not looked at here").hexdigest()
    spec = BackboneSpec(LITE, sha256, 64, 20, engine, title=title, source=ADDRESS, licence="MIT")
    return OpenedNetwork(spec, {LITE: b"not looked at here"}, [], "" if engine == "litert" else "it has no operation X")


def publish(by: User, engine: str = "litert") -> CustomBackbone:
    job = lifecycle.claim_job(request_backbone(by=by, address=ADDRESS).pk)
    assert job is not None
    network = job.custom_backbones.get()
    found = opened(engine)
    custom_backbones.store_backbone_files(network, found, litert_refusal=found.litert_refusal)
    publish_backbone(job, network)
    return network


def test_address_becomes_a_job_of_its_owner_alone(as_owner: Client, as_stranger: Client, owner: User) -> None:
    response = as_owner.post(reverse("backbone_list"), {"address": ADDRESS, "range": "0..1"})
    network = CustomBackbone.objects.get()
    assert response["Location"] == network.get_absolute_url()
    assert (network.title, network.source, network.owner) == ("models small 1", ADDRESS, owner)
    job = Job.objects.get()
    assert (job.kind, job.project, job.config["range"]) == ("backbone", None, "0..1")
    assert "models small 1" in as_owner.get(reverse("backbone_list")).content.decode()
    assert "models small 1" not in as_stranger.get(reverse("backbone_list")).content.decode()
    assert as_stranger.get(f"/api/v1/jobs/{job.pk}").status_code == 404
    assert as_owner.get(f"/api/v1/jobs/{job.pk}").json()["result"]["backbone"] is None


def test_uploaded_file_is_kept_until_its_job_has_ended(as_owner: Client) -> None:
    as_owner.post(reverse("backbone_list"), {"file": SimpleUploadedFile("a/b/net.tflite", b"x")})
    job = Job.objects.get()
    assert default_storage.exists(job.config["archive"])
    lifecycle.cancel_job(job)
    delete_read_archives()
    assert not default_storage.exists(job.config["archive"])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Give either an address or a file."),
        ({"address": "file:///etc/passwd"}, "Give the address of a network on the web"),
        ({"address": ADDRESS, "title": "a\tb"}, "control character"),
        ({"address": ADDRESS, "range": "2..3"}, "Select a valid choice"),
        ({"address": ADDRESS, "input_size": "5"}, "greater than or equal to 8"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(fields: dict[str, str], sentence: str, as_owner: Client) -> None:
    response = as_owner.post(reverse("backbone_list"), fields)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "Give either an address or a file."),
        ({"handle": "gs://x"}, "Give the address of a network on the web"),
        ({"handle": ADDRESS, "range": "x" * 5000}, "The range must be one of"),
        ({"handle": ADDRESS, "input_size": 7}, "The input size must be"),
        ([], "Send JSON like"),
        ({"handle": ADDRESS, "unknown": 1}, "Send JSON like"),
    ],
)
def test_api_refuses_with_a_sentence(body: Any, sentence: str, as_owner: Client) -> None:
    response = as_owner.post("/api/v1/backbones", body, content_type="application/json")
    assert response.status_code == 422
    assert sentence in response.json()["error"]
    assert len(response.json()["error"]) < 400


def test_refused_request_leaves_no_file(as_owner: Client) -> None:
    before = kept_files()
    response = as_owner.post("/api/v1/backbones", {"file": SimpleUploadedFile("n.tflite", b"x"), "range": "2..3"})
    assert response.status_code == 422
    assert kept_files() == before


def kept_files() -> list[str]:
    return default_storage.listdir("incoming/networks")[1] if default_storage.exists("incoming/networks") else []


def test_labels_that_are_no_text_are_refused(as_owner: Client, filled: Project) -> None:
    """Refuse them before PostgreSQL does with an error of its own."""
    files = {"graph": SimpleUploadedFile("g.pb", b"x"), "labels": SimpleUploadedFile("l.txt", b"a\0\nb\n")}
    response = as_owner.post(f"/api/v1/projects/{filled.slug}/imports", files)
    assert response.status_code == 422
    assert "not a text file" in response.json()["error"]


@pytest.mark.parametrize("labels", ["äpfel\nbirnen\n", SimpleUploadedFile("l.txt", "äpfel\nbirnen\n".encode())])
def test_labels_are_taken_as_text_or_as_a_file(labels: Any, as_owner: Client, project: Project) -> None:
    fields = {"graph": SimpleUploadedFile("g.pb", b"x"), "labels": labels}
    response = as_owner.post(f"/api/v1/projects/{project.slug}/imports", fields)
    assert response.status_code == 202, response.content
    assert Job.objects.get().config["labels"] == "äpfel\nbirnen\n"


def test_licence_is_kept_as_far_as_it_can_be_shown(as_owner: Client) -> None:
    body = {"handle": ADDRESS, "licence": "MIT\0\n\x1b[2J"}
    assert as_owner.post("/api/v1/backbones", body, content_type="application/json").status_code == 202
    assert CustomBackbone.objects.get().licence == "MIT[2J"


def test_sentence_as_long_as_the_numbers_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Redis:
        """As far as answers need it."""

        said: list[bytes] = []

        def pipeline(self) -> "Redis":
            return self

        def __enter__(self) -> "Redis":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def rpush(self, key: str, data: bytes) -> None:
            self.said.append(data)

        def expire(self, key: str, seconds: int) -> None:
            pass

        def execute(self) -> None:
            pass

    monkeypatch.setattr(remote, "_redis", Redis)
    sentence = "It did not answer a picture.".ljust(40, ".")
    remote.return_features("k", sentence)
    remote.return_features("k", np.ones((1, 10), np.float32))
    with pytest.raises(remote.WorkerAbsent, match="did not answer"):
        remote._unpack(Redis.said[0], 1, 10)
    assert remote._unpack(Redis.said[1], 1, 10).tolist() == [[1.0] * 10]


def test_one_that_is_ready_is_offered_to_its_owner(as_owner: Client, as_stranger: Client, filled: Project) -> None:
    network = publish(filled.owner)
    page = as_owner.get(reverse("train", args=[filled.slug])).content.decode()
    assert f'value="{network.name}"' in page
    assert "Small · 64 × 64 pixels · 20 features · MIT" in page
    shown = as_owner.get(network.get_absolute_url()).content.decode()
    assert "LiteRT" in shown
    assert network.name not in as_stranger.get("/api/v1/backbones").content.decode()
    as_owner.post(reverse("train", args=[filled.slug]), {"backbone": network.name, "force": "1"})
    assert Job.objects.get(kind="train").config["backbone"] == network.name


def test_one_that_needs_tensorflow_says_so_where_one_chooses(as_owner: Client, filled: Project) -> None:
    network = publish(filled.owner, "tensorflow")
    assert "runs in TensorFlow on the worker" in as_owner.get(reverse("train", args=[filled.slug])).content.decode()
    assert "it has no operation X" in as_owner.get(network.get_absolute_url()).content.decode()


def test_same_one_again_takes_the_place_of_the_earlier(owner: User) -> None:
    first, second = publish(owner), publish(owner)
    assert first.name == second.name
    assert list(CustomBackbone.objects.filter(is_offered=True)) == [second]


def test_removed_one_is_not_offered_and_may_not_be_named(as_owner: Client, filled: Project) -> None:
    network = publish(filled.owner)
    as_owner.post(reverse("backbone_remove", args=[network.pk]))
    assert network.name not in as_owner.get("/api/v1/backbones").content.decode()
    answer = as_owner.post(
        f"/api/v1/projects/{filled.slug}/train", {"backbone": network.name}, content_type="application/json"
    )
    assert (answer.status_code, answer.json()["error"]) == (422, "You have no backbone of this name.")
    assert find_backbone(network.name).title == "Small"  # what was trained with it goes on


def test_strangers_network_cannot_be_named(stranger: User, owner: User) -> None:
    network = publish(stranger)
    with pytest.raises(ConfigError, match="no backbone of this name"):
        custom_backbones.check_backbone(TrainConfig(backbone=network.name), owner)


def test_network_is_brought_from_the_storage_where_it_is_not_at_hand(owner: User, tmp_path: Any) -> None:
    network = publish(owner)
    digest = find_backbone(network.name).digest
    folder = custom_backbone_dir(network.name, settings.ML)
    folder.rename(tmp_path / "lost")
    assert find_backbone(network.name).digest == digest
    assert (custom_backbone_dir(network.name, settings.ML) / LITE).is_file()


def test_network_that_nobody_keeps_is_a_sentence(db: None) -> None:
    with pytest.raises(BackboneMissing, match="no longer stored"):
        find_backbone("net_" + "0" * 20)


def test_files_that_the_storage_lost_are_a_sentence(owner: User, tmp_path: Any) -> None:
    network = publish(owner)
    custom_backbone_dir(network.name, settings.ML).rename(tmp_path / "lost")
    default_storage.delete(f"networks/{network.name}/{LITE}")
    with pytest.raises(BackboneMissing, match="missing from the storage"):
        find_backbone(network.name)


def test_files_that_were_changed_in_the_storage_are_a_sentence(owner: User, tmp_path: Any) -> None:
    network = publish(owner)
    custom_backbone_dir(network.name, settings.ML).rename(tmp_path / "lost")
    path = f"networks/{network.name}/{LITE}"
    default_storage.delete(path)
    default_storage.save(path, ContentFile(b"another network"))
    with pytest.raises(BackboneMissing, match="damaged in the storage"):
        find_backbone(network.name)


def test_import_is_a_job_of_the_project(as_owner: Client, project: Project) -> None:
    page = reverse("version_import", args=[project.slug])
    assert "retrained_graph.pb" in as_owner.get(page).content.decode()
    files = {"graph": SimpleUploadedFile("retrained_graph.pb", b"x"), "labels": SimpleUploadedFile("l.txt", b"a\nb\n")}
    response = as_owner.post(page, {**files, "range": "-1..1"})
    job = Job.objects.get()
    assert response["Location"] == job.get_absolute_url()
    assert (job.kind, job.project, job.config["labels"], job.config["range"]) == ("import", project, "a\nb\n", "-1..1")
    shown = as_owner.get(job.get_absolute_url()).content.decode()
    assert "Importing" in shown


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "This field is required"),
        ({"graph": SimpleUploadedFile("g.pb", b"")}, "empty"),
        ({"graph": SimpleUploadedFile("g.pb", b"x"), "labels": SimpleUploadedFile("l.txt", b"\xff\xfe")}, "UTF-8"),
    ],
)
def test_import_that_cannot_be_is_refused(
    files: dict[str, Any], sentence: str, as_owner: Client, project: Project
) -> None:
    response = as_owner.post(reverse("version_import", args=[project.slug]), files)
    assert response.status_code == 422
    assert sentence in response.content.decode()


def test_imported_version_says_where_it_came_from(trained: ModelVersion, as_owner: Client) -> None:
    metrics = {**trained.metrics, "test_n": 0, "test_accuracy": None}
    config = {"recipe": "imported", "backbone": "net_x", "source": "old_graph.pb"}
    ModelVersion.objects.filter(pk=trained.pk).update(metrics=metrics, config=config, backbone="net_x")
    page = as_owner.get(trained.get_absolute_url()).content.decode()
    assert "<dt>Imported from</dt><dd>old_graph.pb</dd>" in page
    assert "There were no pictures of its classes" in page


SEEN = {"range": "0..1", "range_reason": "tried", "tried_on": 12, "framing": "centre", "input_size": 64}


def imported(trained: ModelVersion, owner: User, seen: dict[str, Any], **spec: Any) -> CustomBackbone:
    """Make the version one that was imported."""
    network = publish(owner)
    known = replace(opened().spec, origin=Origin.IMPORTED, **spec)
    name = "net_" + "1" * 20
    CustomBackbone.objects.filter(pk=network.pk).update(name=name, spec={"text": known.dump(), "files": [LITE]})
    config = {"recipe": "imported", "backbone": name, "source": "old.tflite", "pictures": seen}
    ModelVersion.objects.filter(pk=trained.pk).update(config=config, backbone=name)
    return network


def test_imported_version_shows_how_it_sees_pictures(trained: ModelVersion, as_owner: Client, owner: User) -> None:
    imported(trained, owner, SEEN)
    page = " ".join(as_owner.get(trained.get_absolute_url()).content.decode().split())
    assert (
        "0 to 1 (TF Hub, TensorFlow Serving). The file does not say; of the usual ranges this one gave the best" in page
    )
    assert "12 test pictures" in page
    assert "<dd>The square in the middle (Teachable Machine)</dd>" in page
    assert "<dd>64 × 64 pixels</dd>" in page


def test_imported_version_is_made_again_with_another_range(
    trained: ModelVersion, as_owner: Client, owner: User
) -> None:
    imported(trained, owner, SEEN, range="0..1")
    address = reverse("version_reimport", args=[trained.project.slug, trained.number])
    assert as_owner.post(address, {"range": "2..3"})["Location"] == trained.get_absolute_url()
    job_page = as_owner.post(address, {"range": "-1..1", "promote": "on"})["Location"]
    job = Job.objects.get(kind="import")
    assert job_page == job.get_absolute_url()
    names = [name for _, name in trained.dataset_version.classes]
    assert job.config["labels"] == "".join(f"{place} {name}\n" for place, name in enumerate(names))
    known = {name: job.config[name] for name in ("again", "range", "framing", "built_in", "input_size")}
    assert known == {
        "again": "net_" + "1" * 20,
        "range": "-1..1",
        "framing": "whole",
        "built_in": "",  # a .tflite file has no range built in
        "input_size": 64,
    }
    assert read_state(job).promote
    answer = as_owner.post(
        f"/api/v1/projects/{trained.project.slug}/versions/1/reimport",
        {"framing": "centre"},
        content_type="application/json",
    )
    assert Job.objects.get(pk=answer.json()["job"]).config["range"] == "0..1"


def test_version_that_does_not_know_its_range_says_what_to_do(
    trained: ModelVersion, as_owner: Client, owner: User
) -> None:
    """Tell so of versions that were imported before ranges were kept, and of those that were trained here."""
    address = f"/api/v1/projects/{trained.project.slug}/versions/1/reimport"
    for _ in range(2):
        answer = as_owner.post(address, {"range": "-1..1"}, content_type="application/json")
        assert (answer.status_code, "Import its file again" in answer.json()["error"]) == (422, True)
        if not CustomBackbone.objects.exists():
            imported(trained, owner, SEEN)


def test_import_becomes_live_only_when_asked(as_owner: Client, project: Project) -> None:
    page = reverse("version_import", args=[project.slug])
    for given, live in (({}, False), ({"promote": "on"}, True)):
        as_owner.post(page, {"graph": SimpleUploadedFile("g.pb", b"x"), **given})
        assert read_state(Job.objects.latest("pk")).promote is live
    fields = {"graph": SimpleUploadedFile("g.pb", b"x"), "promote": "true"}
    assert as_owner.post(f"/api/v1/projects/{project.slug}/imports", fields).status_code == 202
    assert read_state(Job.objects.latest("pk")).promote


def test_removing_twice_is_harmless(owner: User) -> None:
    network = publish(owner)
    remove_backbone(network)
    remove_backbone(network)
    with pytest.raises(ImportRefused):
        request_backbone(by=owner)
