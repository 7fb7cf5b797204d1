"""Erasing pictures for good, as somebody who is shown in them may ask for."""

from pathlib import Path

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from classifier.models import Embedding, Image, ModelVersion, Sample, SampleChange, UploadItem
from classifier.sample_filters import SampleFilter, select_samples
from classifier.services import erasing, exports
from classifier.services.accounts import create_api_key
from classifier.services.file_checks import list_files
from classifier.services.projects import create_project
from classifier.services.samples import add_tag
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
    assert erased == erasing.Erased(6, 0, [1], [1])
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
    assert "Other projects have 2 of them" in erasing.describe_erased(erased)


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
    assert said == {"pictures": 6, "elsewhere": 0, "dataset_versions": [1], "model_versions": [1]}


def test_filter_finds_what_somebody_brought_in(trained: ModelVersion) -> None:
    assert select_samples(trained.project, SampleFilter(uploader="owner")).count() == 18
    assert select_samples(trained.project, SampleFilter(uploader="somebody")).count() == 0
