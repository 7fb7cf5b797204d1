"""A folder chosen again sends only what is not there: what is known is told, and never what others have."""

import hashlib
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import Project
from classifier.models.upload import SILENCE
from classifier.selectors import list_uploads
from classifier.services import samples, uploads
from classifier.services.accounts import create_api_key
from classifier.services.projects import create_project
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures

RED, BLUE, OTHER = (make_jpeg(number, (8, 8)) for number in (1, 2, 3))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def ask(client: Client, project: Project, *pictures: bytes) -> Any:
    headers = {"Authorization": f"Bearer {create_api_key(project.owner, 'test')[1]}"}
    body = {"sha256s": [sha256(picture) for picture in pictures]}
    path = f"/api/v1/projects/{project.slug}/known"
    return client.post(path, body, content_type="application/json", headers=headers)


def test_samples_are_told_with_their_class(project: Project, client: Client) -> None:
    add_pictures(project, {"red/1.jpg": RED})
    assert ask(client, project, RED, BLUE).json() == {"known": {sha256(RED): "red"}}


def test_pictures_of_others_are_not_told(project: Project, client: Client) -> None:
    add_pictures(create_project("Another of the same person", by=project.owner), {"red/1.jpg": RED})
    assert ask(client, project, RED).json() == {"known": {}}


def test_trashed_and_damaged_pictures_are_to_be_sent_again(project: Project, client: Client) -> None:
    add_pictures(project, {"red/1.jpg": RED, "red/2.jpg": BLUE})
    trashed, damaged = project.samples.order_by("pk")
    samples.delete_samples(project, samples.pick(project, [trashed.pk]), by=None)
    damaged.image.damaged_at = timezone.now()
    damaged.image.save()
    assert ask(client, project, RED, BLUE).json() == {"known": {}}


def test_more_than_two_thousand_are_refused(project: Project, client: Client) -> None:
    assert ask(client, project, *[b"x"] * 2000).status_code == 200
    assert ask(client, project, *[b"x"] * 2001).status_code == 422


def record(client: Client, project: Project, files: Any) -> Any:
    upload = uploads.start_upload(project, "test", by=project.owner)
    given = SimpleUploadedFile("files", json.dumps(files).encode())
    return upload, client.post(reverse("upload_known", args=[project.slug, upload.pk]), {"files": given})


def test_known_files_are_reported_as_already_there(project: Project, as_owner: Client) -> None:
    add_pictures(project, {"red/1.jpg": RED, "blue/2.jpg": BLUE})
    files = [["a/red/1.jpg", " red ", sha256(RED)], ["a/red/2.jpg", "red", sha256(BLUE)], ["x", "red", sha256(OTHER)]]
    upload, answer = record(as_owner, project, files)
    told = dict(answer.json()["known"])
    assert told[0] == "The same picture is already in this class."
    assert "in the class “blue”" in told[1]
    assert set(told) == {0, 1}
    assert list(upload.items.values_list("file_name", "class_name", "status").order_by("pk")) == [
        ("a/red/1.jpg", "red", "duplicate"),
        ("a/red/2.jpg", "red", "duplicate"),
    ]


def test_picture_that_would_get_a_class_is_to_be_sent(project: Project, as_owner: Client) -> None:
    add_pictures(project, {"red/1.jpg": RED})
    project.samples.update(image_class=None)
    _, answer = record(as_owner, project, [["1.jpg", "red", sha256(RED)], ["1.jpg", None, sha256(RED)]])
    assert [place for place, _ in answer.json()["known"]] == [1]


@pytest.mark.parametrize("files", [5, [["a"]], [["a", 1, "b"]], [["a", "b", "c"]] * 2001])
def test_lists_that_cannot_be_read(files: Any, project: Project, as_owner: Client) -> None:
    upload, answer = record(as_owner, project, files)
    assert answer.status_code == 422
    assert not upload.items.exists()


def start(client: Client, project: Project, announced: str) -> Any:
    address = reverse("upload_start", args=[project.slug])
    return client.post(address, {"source": "Folder “a”", "announced": announced})


def test_interrupted_folder_is_listed_until_it_is_sent_again(project: Project, as_owner: Client) -> None:
    start(as_owner, project, "3")
    add = reverse("upload_picture", args=[project.slug, project.uploads.get().pk])
    as_owner.post(add, {"class": "red", "file": SimpleUploadedFile("1.jpg", RED)})
    page = reverse("uploads", args=[project.slug])
    assert "files are missing" not in as_owner.get(page).content.decode()  # while the browser may still be sending
    project.uploads.update(heard_at=timezone.now() - SILENCE)
    assert "2 of 3 files are missing" in as_owner.get(page).content.decode()
    start(as_owner, project, "0")
    assert "are missing" not in as_owner.get(page).content.decode()


@pytest.mark.parametrize("announced", ["", "-1", "many", "99999999999999"])
def test_number_of_files_that_cannot_be_is_ignored(announced: str, project: Project, as_owner: Client) -> None:
    assert start(as_owner, project, announced).status_code == 201
    assert project.uploads.get().announced is None


@pytest.mark.parametrize("data", [{"files": SimpleUploadedFile("files", b"[]")}, {"class": "red"}])
def test_slow_upload_is_being_sent_as_long_as_its_browser_gives_a_sign(
    data: Any, project: Project, as_owner: Client
) -> None:
    start(as_owner, project, "3")
    project.uploads.update(heard_at=timezone.now() - SILENCE)
    upload = project.uploads.get()
    assert not upload.is_being_sent
    name = "upload_known" if "files" in data else "upload_picture"
    given = data if "files" in data else {**data, "file": SimpleUploadedFile("1.jpg", RED)}
    assert as_owner.post(reverse(name, args=[project.slug, upload.pk]), given).status_code < 300
    assert project.uploads.get().is_being_sent


def test_newest_upload_is_listed_first(project: Project) -> None:
    made = [uploads.start_upload(project, f"{number}", by=None) for number in range(3)]
    assert list(list_uploads(project)) == made[::-1]
