"""Test that a list page asks the database as often for twenty rows as for one."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from classifier.jobs import sending
from classifier.jobs.kinds import EXPORT
from classifier.models import CustomBackbone, ModelVersion, Project
from classifier.services.accounts import create_api_key
from classifier.services.projects import create_project, get_or_create_class
from classifier.services.samples import delete_samples, pick
from classifier.services.uploads import queue_ingest
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures, publish
from tests.unit.classifier.test_custom_backbones import opened

MANY = 19  # more rows than the first


def add_project(project: Project, number: int) -> None:
    created = create_project(f"Project {number}", by=project.owner)
    add_pictures(created, {"red/1.jpg": make_jpeg(number, size=(8, 8))})


def add_upload(project: Project, number: int) -> None:
    add_pictures(project, {"red/1.jpg": make_jpeg(1000 + number, size=(8, 8)), "red/2.jpg": b"no picture"})
    queue_ingest(project, source=f"{number}.zip", config={"archive": "nowhere"}, by=project.owner)


def add_job(project: Project, number: int) -> None:
    sending.queue_job(EXPORT, project=project, by=project.owner)


def add_version(project: Project, number: int) -> None:
    publish(project, seed=number + 1)


def add_class(project: Project, number: int) -> None:
    get_or_create_class(project, f"class {number}")
    add_pictures(project, {f"class {number}/1.jpg": make_jpeg(2000 + number, size=(8, 8))})


def trash_picture(project: Project, number: int) -> None:
    add_pictures(project, {"red/1.jpg": make_jpeg(3000 + number, size=(8, 8))})
    newest = project.samples.filter(deleted_at=None).order_by("-pk").values_list("pk", flat=True)[0]
    delete_samples(project, pick(project, [newest]), by=None)


def add_backbone(project: Project, number: int) -> None:
    found = opened()
    spec = replace(found.spec, title=f"Small {number}", sha256=f"{number:064x}")
    CustomBackbone.objects.create(
        owner=project.owner,
        title=spec.title,
        source="nowhere",
        name=f"net_{number:020}",
        spec={"text": spec.dump(), "files": []},
    )


def add_key(project: Project, number: int) -> None:
    create_api_key(project.owner, f"key {number}")


PAGES: dict[str, tuple[str, Callable[[Project, int], None]]] = {
    "projects": ("/", add_project),
    "jobs": ("/projects/colours/jobs/", add_job),
    "uploads": ("/projects/colours/uploads/", add_upload),
    "uploads over the API": ("/api/v1/projects/colours/uploads", add_upload),
    "versions": ("/projects/colours/versions/", add_version),
    "versions over the API": ("/api/v1/projects/colours/versions", add_version),
    "classes": ("/projects/colours/", add_class),
    "trash": ("/projects/colours/pictures/?deleted=true", trash_picture),
    "backbones": ("/backbones/", add_backbone),
    "keys": ("/account/keys", add_key),
}


def count_queries(client: Client, address: str) -> int:
    client.get(address)  # reads what a process then keeps for seconds, as the banner, however slow the machine is
    with CaptureQueriesContext(connection) as queries:
        response = client.get(address)
    assert response.status_code == 200
    return len(queries)


@pytest.mark.parametrize("page", PAGES)
def test_list_page_asks_as_often_for_twenty_rows_as_for_one(
    page: str,
    filled: Project,
    as_owner: Client,
) -> None:
    address, add = PAGES[page]
    add(filled, 0)
    with_one_row = count_queries(as_owner, address)
    for number in range(1, MANY + 1):
        add(filled, number)
    assert count_queries(as_owner, address) == with_one_row


def test_version_page_looks_its_custom_backbone_up_once(trained: ModelVersion, as_owner: Client, owner: User) -> None:
    ModelVersion.objects.filter(pk=trained.pk).update(backbone="net_" + "0" * 20)
    with CaptureQueriesContext(connection) as queries:
        as_owner.get(reverse("version", args=[trained.project.slug, trained.number]))
    specs = [one for one in queries.captured_queries if '"spec" IS NOT NULL' in one["sql"]]
    assert len(specs) == 1
