"""Erasing pictures for good, as somebody who is shown in them may ask for."""

import hashlib
from pathlib import Path

from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from classifier.jobs.state import StoredFile, update_ended_state
from classifier.models import Embedding, Export, Image, ModelVersion, Project, Sample, SampleChange, UploadItem
from classifier.sample_filters import SampleFilter, select_samples
from classifier.services import erasing, exports
from classifier.services.accounts import create_api_key
from classifier.services.file_checks import list_files
from classifier.services.known import record_known
from classifier.services.project_files.offering import project_file_path
from classifier.services.projects import create_project
from classifier.services.samples import add_tag
from classifier.services.uploads import start_upload
from classifier.storage import store_once
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures, store_export, store_fake_embeddings


def test_nothing_is_left_of_erased_pictures(trained: ModelVersion, owner: User, as_owner: Client) -> None:
    project = trained.project
    store_fake_embeddings(project)
    doomed = Sample.objects.filter(project=project, file_name__startswith="red")
    add_tag(project, doomed, "person", by=owner)
    digests = set(doomed.values_list("image__sha256", flat=True))
    for sha256 in digests:
        as_owner.get(reverse("thumbnail", args=["colours", sha256, 160]))
    erased = erasing.erase_samples(project, doomed, by=owner)
    assert erased == erasing.Erased(6, 0, [1], [1], 0)
    assert (Sample.objects.count(), Image.objects.count(), Embedding.objects.count()) == (12, 12, 12)
    assert not UploadItem.objects.filter(file_name__startswith="red").exists()
    assert not SampleChange.objects.exists()
    assert not any(sha256 in path for sha256 in digests for path in list_files(""))
    call_command("check_files")


def test_versions_stay_usable(trained: ModelVersion, owner: User, as_owner: Client, tmp_path: Path) -> None:
    erasing.erase_samples(trained.project, Sample.objects.filter(project=trained.project), by=owner)
    for name in ("version", "version_evaluation", "dataset"):
        assert as_owner.get(reverse(name, args=["colours", 1])).status_code == 200
    store_export(trained, tmp_path)
    assert exports.keep_existing([""]) == []


def test_others_keep_the_same_picture(trained: ModelVersion, owner: User) -> None:
    other = create_project("Mine", by=owner)
    add_pictures(other, dict(list(coloured_pictures(6).items())[:2]))
    erased = erasing.erase_samples(trained.project, Sample.objects.filter(project=trained.project), by=owner)
    assert (erased.pictures, erased.elsewhere, Image.objects.count()) == (18, 2, 2)
    assert "Other projects of yours have 2 of them" in erasing.describe_erased(erased)


def test_whether_strangers_have_the_same_picture_is_not_told(
    trained: ModelVersion, owner: User, stranger: User
) -> None:
    add_pictures(create_project("Theirs", by=stranger), coloured_pictures(6))
    erased = erasing.erase_samples(trained.project, Sample.objects.filter(project=trained.project), by=owner)
    assert (erased.pictures, erased.elsewhere, Image.objects.count()) == (18, 0, 18)


def test_names_under_which_a_picture_came_again_go_too(filled: Project, owner: User) -> None:
    pictures = coloured_pictures(6)
    add_pictures(filled, {"red/copy_of_somebody.jpg": pictures["red/0.jpg"]})
    upload = start_upload(filled, "a folder", by=owner)
    record_known(upload, [("red/again.jpg", "red", Image.objects.get(samples__file_name="red/0.jpg").sha256)])
    assert UploadItem.objects.filter(file_name__in=["red/copy_of_somebody.jpg", "red/again.jpg"]).count() == 2
    erasing.erase_samples(filled, Sample.objects.filter(project=filled, file_name="red/0.jpg"), by=owner)
    assert not UploadItem.objects.filter(file_name__in=["red/copy_of_somebody.jpg", "red/again.jpg"]).exists()
    assert UploadItem.objects.count() == 17


def test_exports_and_the_file_of_the_project_go_too(trained: ModelVersion, owner: User, tmp_path: Path) -> None:
    store_export(trained, tmp_path)
    export = Export.objects.get()
    stored = StoredFile(sha256=hashlib.sha256(b"a project").hexdigest(), size=9)
    store_once(project_file_path(stored.sha256), b"a project")
    assert trained.job is not None
    update_ended_state(trained.job, project_file=stored)
    red = Sample.objects.filter(project=trained.project, file_name="red/0.jpg")
    erased = erasing.erase_samples(trained.project, red, by=owner)
    assert erased.exports == 1
    assert "1 export was deleted, too." in erasing.describe_erased(erased)
    assert not default_storage.exists(export.path)
    assert not default_storage.exists(project_file_path(stored.sha256))
    call_command("check_files")


def test_page_erases_what_is_chosen_and_says_what_stays(trained: ModelVersion, as_owner: Client) -> None:
    sample = Sample.objects.filter(project=trained.project).first()
    assert sample is not None
    page = as_owner.post(reverse("erase", args=["colours"]), {"sample": sample.pk}, follow=True).content.decode()
    assert "1 picture has been erased." in page
    assert Sample.objects.count() == 17


def test_api_erases_by_filter(trained: ModelVersion, owner: User, client: Client) -> None:
    headers = {"Authorization": f"Bearer {create_api_key(owner, 'test')[1]}"}
    body = {"filter": {"uploader": "owner", "name": "blue"}}
    address = "/api/v1/projects/colours/samples/erase"
    said = client.post(address, body, content_type="application/json", headers=headers).json()
    assert said == {"pictures": 6, "elsewhere": 0, "dataset_versions": [1], "model_versions": [1], "exports": 0}


def test_filter_finds_what_somebody_brought_in(trained: ModelVersion) -> None:
    assert select_samples(trained.project, SampleFilter(uploader="owner")).count() == 18
    assert select_samples(trained.project, SampleFilter(uploader="somebody")).count() == 0
