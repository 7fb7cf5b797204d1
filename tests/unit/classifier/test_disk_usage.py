"""What takes room is measured by a job, and read in a moment."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from classifier.models import Image, Job, ModelVersion, Sample
from classifier.services import disk_usage
from classifier.services.accounts import create_api_key
from classifier.services.projects import create_project
from classifier.services.samples import delete_samples
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import PASSWORD, add_pictures, store_export, store_fake_embeddings
from worker.run import run_job


@pytest.fixture
def administrator(db: None) -> User:
    return User.objects.create_superuser("head", password=PASSWORD)


@pytest.fixture
def as_administrator(administrator: User) -> Client:
    client = Client()
    client.force_login(administrator)
    return client


def measure(as_administrator: Client) -> disk_usage.DiskUsage:
    assert as_administrator.post(reverse("disk_usage_measure")).status_code == 302
    job = Job.objects.filter(kind="disk_usage").latest("pk")
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail
    return disk_usage.get_disk_usage()


def by_title(kinds: list[disk_usage.Kind]) -> dict[str, int]:
    return {kind.title: kind.bytes for kind in kinds}


def test_page_before_the_first_measurement(as_administrator: Client) -> None:
    assert "Nobody has measured yet" in as_administrator.get(reverse("disk_usage")).content.decode()


def test_kinds_are_as_large_as_their_files(trained: ModelVersion, as_administrator: Client, tmp_path: Path) -> None:
    store_export(trained, tmp_path)
    store_fake_embeddings(trained.project)
    found = by_title(measure(as_administrator).kinds)
    pictures = sum(Image.objects.values_list("size", flat=True))
    assert found["Pictures"] == pictures
    assert found["Exported files"] == trained.exports.get().size
    for kind in ("Model versions", "Dataset versions", "Embeddings, in the database"):
        assert found[kind] > 0, kind


def test_what_can_be_freed(trained: ModelVersion, as_administrator: Client, tmp_path: Path) -> None:
    store_export(trained, tmp_path)
    some = Sample.objects.filter(pk__in=Sample.objects.values("pk")[:3])
    size = sum(some.values_list("image__size", flat=True))
    delete_samples(trained.project, some, by=None)
    name = default_storage.save("images/aa/orphan", ContentFile(b"x" * 100))
    before = measure(as_administrator)
    assert by_title(before.freeable)["Files that nothing refers to"] == 0  # it is not a day old
    if hasattr(default_storage, "location") and os.path.isabs(str(default_storage.location)):
        old = time.time() - 2 * 86400
        os.utime(default_storage.path(name), (old, old))
        assert by_title(measure(as_administrator).freeable)["Files that nothing refers to"] == 100
    assert by_title(before.freeable)["Pictures in the trash"] == size
    assert by_title(before.freeable)["Exported files"] == trained.exports.get().size


def test_largest_projects_come_first(trained: ModelVersion, administrator: User, as_administrator: Client) -> None:
    small = create_project("Small", by=administrator)
    add_pictures(small, {"red/1.jpg": make_jpeg(1, size=(8, 8))})
    projects = measure(as_administrator).projects
    assert [(one.project.name, one.pictures) for one in projects] == [("Colours", 18), ("Small", 1)]
    page = as_administrator.get(reverse("disk_usage")).content.decode()
    assert page.index("Colours") < page.index("Small")


def test_page_asks_for_nothing_that_grows(
    trained: ModelVersion, as_administrator: Client, django_assert_max_num_queries: Any
) -> None:
    measure(as_administrator)
    as_administrator.get(reverse("disk_usage"))
    with django_assert_max_num_queries(6):
        page = as_administrator.get(reverse("disk_usage")).content.decode()
    assert "Measured" in page


def test_one_measurement_at_a_time(as_administrator: Client) -> None:
    for _ in range(2):
        as_administrator.post(reverse("disk_usage_measure"))
    assert Job.objects.filter(kind="disk_usage").count() == 1
    assert "A job is looking" in as_administrator.get(reverse("disk_usage")).content.decode()


def test_api_tells_the_same(
    trained: ModelVersion, administrator: User, as_administrator: Client, client: Client
) -> None:
    headers = {"Authorization": f"Bearer {create_api_key(administrator, 'test')[1]}"}
    assert client.get("/api/v1/disk-usage", headers=headers).json()["measured_at"] is None
    assert client.post("/api/v1/disk-usage/measure", headers=headers).json()["is_being_measured"]
    measure(as_administrator)
    found = client.get("/api/v1/disk-usage", headers=headers).json()
    assert found["projects"][0]["owner"] == "owner"
    assert {one["title"] for one in found["freeable"]} >= {"Exported files"}
