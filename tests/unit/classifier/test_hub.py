"""Addresses for `hub.load`: who is given a file, who is not, and what is said."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.jobs import sending
from classifier.jobs.kinds import HUB
from classifier.models import Job, ModelVersion, PublicLink
from classifier.selectors import list_jobs
from classifier.services import hub
from classifier.services.accounts import create_api_key, revoke_api_key
from ml.backbones.registry import get_backbone
from poetsweb.folders import ML
from tests.unit.classifier.conftest import publish, store_export
from worker.run import run_job

ASKED_BY_HUB = "?tf-hub-format=compressed"
BACKBONE = "/hub/backbones/testing/1"
MODEL = ["saved_model.pb", "variables", "variables/variables.index"]


@pytest.fixture
def served(trained: ModelVersion, tmp_path: Path) -> str:
    """Return the address of a version with a file."""
    store_export(trained, tmp_path, "tf_hub")
    return "/hub/colours/1"


@pytest.fixture
def key(owner: User) -> str:
    return create_api_key(owner, "test")[1]


def names(response: Any) -> list[str]:
    assert response.status_code == 200
    with tarfile.open(mode="r:gz", fileobj=io.BytesIO(b"".join(response.streaming_content))) as archive:
        return archive.getnames()


def said(response: Any, status: int) -> str:
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    return str(response.json()["error"])


@pytest.mark.parametrize("name", ["1", "live"])
def test_owner_is_given_it_by_session_header_and_query(
    name: str, served: str, key: str, client: Client, as_owner: Client
) -> None:
    address = f"/hub/colours/{name}"
    assert names(as_owner.get(address + ASKED_BY_HUB)) == MODEL
    assert names(client.get(address, headers={"Authorization": f"Bearer {key}"})) == MODEL
    assert names(client.get(f"{address}?key={key}&tf-hub-format=compressed")) == MODEL


def test_stranger_finds_nothing(served: str, stranger: User, as_stranger: Client, client: Client) -> None:
    _, key = create_api_key(stranger, "test")
    for response in (as_stranger.get(served), client.get(f"{served}?key={key}")):
        assert "you do not have access to it" in said(response, 404)


@pytest.mark.parametrize("address", ["/hub/colours/1", BACKBONE])
@pytest.mark.parametrize("query", ["", "?key=", "?key=wrong", "?key=pw_%00"])
def test_nobody_is_told_what_to_send(address: str, query: str, served: str, client: Client) -> None:
    assert "?key=YOUR_KEY" in said(client.get(address + query), 401)


def test_wrong_key_opens_nothing_to_whoever_is_signed_in(served: str, as_owner: Client) -> None:
    assert as_owner.get(f"{served}?key=wrong").status_code == 401


def test_revoked_key_opens_nothing(served: str, owner: User, client: Client) -> None:
    row, key = create_api_key(owner, "test")
    revoke_api_key(row)
    assert client.get(f"{served}?key={key}").status_code == 401


@pytest.mark.parametrize("name", ["2", "staging", "0", "9" * 40])
def test_version_that_is_not_there(name: str, served: str, as_owner: Client) -> None:
    assert as_owner.get(f"/hub/colours/{name}").status_code == 404


def test_version_without_a_file_says_how_to_make_it(trained: ModelVersion, as_owner: Client) -> None:
    assert "Create the file" in said(as_owner.get("/hub/colours/1"), 409)


@pytest.mark.parametrize("address", ["/hub/colours/1", BACKBONE])
def test_other_formats_are_refused(address: str, served: str, as_owner: Client) -> None:
    assert "TFHUB_MODEL_LOAD_FORMAT" in said(as_owner.get(f"{address}?tf-hub-format=uncompressed"), 400)
    assert as_owner.post(address).status_code == 405


def test_public_link_opens_its_version_until_revoked(
    served: str, trained: ModelVersion, as_owner: Client, as_stranger: Client, client: Client, tmp_path: Path
) -> None:
    as_owner.post(reverse("version_link", args=["colours", 1]))
    token = PublicLink.objects.get().token
    page = as_owner.get(trained.get_absolute_url()).content.decode()
    assert f"http://testserver{served}?link={token}" in page
    assert names(client.get(f"{served}?link={token}&tf-hub-format=compressed")) == MODEL
    assert names(as_stranger.get(f"{served}?link={token}")) == MODEL
    for wrong in (token[:-1], "%00", "x" * 5000):
        assert client.get(f"{served}?link={wrong}").status_code in (401, 404)

    store_export(publish(trained.project, seed=1), tmp_path, "tf_hub")
    assert client.get(f"/hub/colours/2?link={token}").status_code == 404
    assert client.get(f"{BACKBONE}?link={token}").status_code == 401

    as_owner.post(reverse("version_link_revoke", args=["colours", 1]))
    assert client.get(f"{served}?link={token}").status_code == 404
    assert token not in as_owner.get(trained.get_absolute_url()).content.decode()


def test_public_link_over_the_api(served: str, as_owner: Client, client: Client) -> None:
    address = "/api/v1/projects/colours/versions/1/public-link"
    first, second = (as_owner.post(address).json()["url"] for _ in range(2))
    assert first == second
    assert names(client.get(first)) == MODEL
    assert as_owner.delete(address).status_code == 204
    assert client.get(first).status_code == 404
    assert as_owner.post(address).json()["url"] != first


@pytest.mark.slow
def test_backbone_is_made_when_first_asked_for(
    stranger: User, as_stranger: Client, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = create_api_key(stranger, "test")
    for _ in range(3):
        waiting = client.get(f"{BACKBONE}?key={key}&tf-hub-format=compressed")
        assert "A worker is creating the file" in said(waiting, 503)
        assert int(waiting["Retry-After"]) > 0
    job = Job.objects.get(kind="hub")  # one, and not three
    assert list(list_jobs(stranger)) == []
    monkeypatch.setattr("worker.run.BEAT_SECONDS", 60)  # no second writer to the database of a test
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail
    assert {"saved_model.pb", "fingerprint.pb"} <= set(names(as_stranger.get(BACKBONE)))

    monkeypatch.setattr("worker.hub.build_hub_backbone", lambda *_: pytest.fail("It is there already."))
    again = sending.queue_job(HUB, project=None, by=None, config=job.config)
    run_job(again.pk)
    again.refresh_from_db()
    assert again.status == Job.Status.SUCCEEDED


@pytest.mark.parametrize("address", ["/hub/backbones/testing/2", "/hub/backbones/nothing/1", "/hub/backbones/x.y/1"])
def test_backbone_that_is_not_there(address: str, as_owner: Client) -> None:
    assert as_owner.get(address).status_code == 404


def test_backbone_that_cannot_be_made_says_why(as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from ml.exports.run import ExportFailed

    def fail(*_: Any) -> None:
        raise ExportFailed("The disk is full.")

    monkeypatch.setattr("worker.hub.build_hub_backbone", fail)
    said(as_owner.get(BACKBONE), 503)
    run_job(Job.objects.get(kind="hub").pk)
    assert said(as_owner.get(BACKBONE), 503) == "The file could not be created. The disk is full."
    assert Job.objects.filter(kind="hub").count() == 1
    Job.objects.filter(kind="hub").update(finished_at=timezone.now() - hub.FAILURE_COUNTS)
    assert "A worker is creating the file" in said(as_owner.get(BACKBONE), 503)
    assert Job.objects.filter(kind="hub").count() == 2


def test_backbone_with_a_name_with_dots_has_an_address() -> None:
    backbone = get_backbone("mobilenet_v2_1.0_224", ML)
    assert reverse("hub_backbone", args=[backbone.name, backbone.version]) == "/hub/backbones/mobilenet_v2_1.0_224/1"
    assert hub.backbone_path(backbone) != hub.backbone_path(get_backbone("testing", ML))
