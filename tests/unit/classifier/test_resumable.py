"""An archive in parts: what is acknowledged is kept, and becomes an upload once, whatever comes between."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.test import Client

from classifier import disk
from classifier.models import PartialUpload, Project
from classifier.services import resumable
from classifier.services.accounts import create_api_key
from classifier.services.images import read_file
from tests.datasets import coloured_pictures, make_zip
from tests.unit.classifier.test_locks import held_elsewhere
from tests.unit.classifier.tus import DATA, Tus, metadata
from worker.run import run_job


@pytest.fixture
def key(owner: User) -> str:
    return create_api_key(owner, "test")[1]


pytestmark = pytest.mark.usefixtures("folder_storage")  # a bucket refuses small parts


@pytest.fixture
def api(client: Client, key: str, project: Project) -> Tus:
    return Tus(client, key)


def test_parts_become_an_upload_like_any_other(api: Tus, project: Project, backbones: Path, settings: Any) -> None:
    settings.ML = replace(settings.ML, backbones_dir=backbones)
    data = make_zip({f"top/{name}": picture for name, picture in coloured_pictures(2).items()})
    begun = api.begin(len(data), lastModified="1700000000000", layout="last")
    assert begun.status_code == 201
    address = begun["Location"]
    for start in range(0, len(data), 1000):
        answer = api.send(address, start, data[start : start + 1000])
        assert (answer.status_code, answer["Upload-Offset"]) == (204, str(min(start + 1000, len(data))))
    told = api.get(address)
    assert (told["name"], told["last_modified"]) == ("colours.zip", 1700000000000)
    upload = project.uploads.get(pk=told["upload"])
    assert upload.job is not None
    assert upload.job.config["layout"] == "last"
    run_job(upload.job.pk)
    assert project.samples.count() == 6
    assert api.client.get(api.path, headers=api.headers).json() == []


def test_offset_is_told_to_whoever_comes_back(api: Tus) -> None:
    address = api.begin()["Location"]
    assert api.offset(address) == 0
    api.send(address, 0, DATA[:7])
    again = Tus(Client(), api.headers["Authorization"].removeprefix("Bearer "))  # another day
    head = again.client.head(address, headers=again.headers)
    assert (head["Upload-Offset"], head["Upload-Length"], head["Tus-Resumable"]) == ("7", str(len(DATA)), "1.0.0")
    assert head["Upload-Metadata"] == metadata(filename="colours.zip")
    assert head["Cache-Control"] == "private, no-store"
    (listed,) = again.get(again.path)
    assert (listed["offset"], listed["size"], listed["upload"]) == (7, len(DATA), None)


def test_session_goes_on_with_what_a_key_began(api: Tus, as_owner: Client) -> None:
    address = api.begin()["Location"]
    said = {"Upload-Offset": "0"}
    answer = as_owner.patch(address, DATA[:5], content_type="application/offset+octet-stream", headers=said)
    assert answer.status_code == 204


def test_session_needs_the_token_of_a_page(api: Tus, owner: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    assert strict.post(api.path, headers={"Upload-Length": "9"}).status_code == 403
    assert PartialUpload.objects.count() == 0


@pytest.mark.parametrize("offset", [0, 6, 8, 30])
def test_part_that_does_not_follow_is_refused(offset: int, api: Tus) -> None:
    address = api.begin()["Location"]
    api.send(address, 0, DATA[:7])
    answer = api.send(address, offset, DATA[:3])
    assert answer.status_code == 409
    assert "has 7 bytes" in answer.json()["error"]
    assert api.offset(address) == 7


def test_more_than_was_announced_is_refused(api: Tus, project: Project) -> None:
    address = api.begin()["Location"]
    assert api.send(address, 0, DATA + b"!").status_code == 413
    assert api.offset(address) == 0
    api.send(address, 0, DATA)
    assert api.send(address, len(DATA), b"!").status_code == 413
    assert read_file(PartialUpload.objects.get().path) == DATA


def test_larger_parts_than_memory_has_are_refused(api: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.api.tus.MOST_PART", 10)
    address = api.begin()["Location"]
    answer = api.send(address, 0, DATA)
    assert answer.status_code == 413
    assert "parts of 8 MB" in answer.json()["error"]


@pytest.mark.parametrize(
    ("said", "status", "sentence"),
    [
        ({"size": 0}, 422, "empty"),
        ({"size": 2**40}, 413, "GB at most"),
        ({"name": "colours.exe"}, 422, "filename"),
        ({"layout": "sideways"}, 422, "layout"),
        ({"layout": "x" * 1500}, 422, "layout"),
        ({"size": 2**60}, 422, "Upload-Length"),
    ],
)
def test_what_cannot_be_is_refused_before_its_first_byte(said: Any, status: int, sentence: str, api: Tus) -> None:
    answer = api.begin(**said)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]
    assert PartialUpload.objects.count() == 0


@pytest.mark.parametrize("text", ["filename !!!", "filename /w==", "filename", "x" * 5000, "filename ä"])
def test_metadata_that_cannot_be_read(text: str, api: Tus) -> None:
    answer = api.client.post(api.path, headers={**api.headers, "Upload-Length": "9", "Upload-Metadata": text})
    assert answer.status_code == 422


def test_other_versions_and_types_are_refused(api: Tus) -> None:
    address = api.begin()["Location"]
    assert api.send(address, 0, DATA, content_type="text/plain").status_code == 415
    api.headers["Tus-Resumable"] = "0.2.2"
    answer = api.send(address, 0, DATA)
    assert (answer.status_code, answer["Tus-Version"]) == (412, "1.0.0")


def test_server_says_what_it_speaks(api: Tus) -> None:
    answer = api.client.options(api.path, headers=api.headers)
    assert (answer["Tus-Version"], answer["Tus-Extension"]) == ("1.0.0", "creation,termination")
    assert int(answer["Tus-Max-Size"]) > 2**30


def test_stranger_finds_nothing(api: Tus, stranger: User, client: Client) -> None:
    address = api.begin()["Location"]
    other = Tus(client, create_api_key(stranger, "test")[1])
    assert client.head(address, headers=other.headers).status_code == 404
    assert client.options(api.path, headers=other.headers).status_code == 404
    assert other.send(address, 0, DATA).status_code == 404
    assert api.offset(address) == 0


def test_number_of_unfinished_uploads_is_bounded(api: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable, "MOST_OPEN", 2)
    first = api.begin()["Location"]
    api.begin()
    assert api.begin().status_code == 409
    assert api.client.delete(first, headers=api.headers).status_code == 204
    assert api.begin().status_code == 201


def test_full_disk_is_told(api: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    address = api.begin()["Location"]
    monkeypatch.setattr(disk, "free_bytes", lambda: disk.RESERVED + 3)
    assert api.begin(size=4).status_code == 503
    answer = api.send(address, 0, DATA)
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert api.offset(address) == 0


def test_discarded_upload_leaves_nothing(api: Tus) -> None:
    address = api.begin()["Location"]
    api.send(address, 0, DATA[:7])
    path = PartialUpload.objects.get().path
    assert default_storage.exists(path)
    api.client.delete(address, headers=api.headers)
    assert not default_storage.exists(path)
    assert api.client.head(address, headers=api.headers).status_code == 404


def test_discarding_what_has_become_an_upload_keeps_it(api: Tus, project: Project) -> None:
    address = api.begin()["Location"]
    api.send(address, 0, DATA)
    api.client.delete(address, headers=api.headers)
    job = project.uploads.get().job
    assert job is not None
    assert read_file(job.config["archive"]) == DATA


@pytest.mark.django_db(transaction=True)
def test_one_writer_at_a_time(api: Tus) -> None:
    address = api.begin()["Location"]
    with held_elsewhere(PartialUpload, PartialUpload.objects.get().pk):
        answer = api.send(address, 0, DATA)
        assert answer.status_code == 409
        assert "Another request" in answer.json()["error"]
        assert api.client.delete(address, headers=api.headers).status_code == 409
        resumable.tend_partial_uploads()
    assert api.send(address, 0, DATA).status_code == 204
