"""What people put in they can take out again, whole, and bring in elsewhere."""

import csv
import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from classifier import downloads
from classifier.models import DatasetVersion, Image, ModelVersion, Project, Sample
from classifier.selectors import list_samples
from classifier.services import samples
from classifier.services.classes import rename_class
from classifier.services.datasets import freeze_dataset_version
from classifier.services.projects import create_project
from classifier.services.takeouts import stream_manifest, stream_zip
from tests.datasets import coloured_pictures
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import upload_pictures

NAMES = [
    *("1.jpg", "photos/1.jpg", "..\\..\\1.jpg", "CON.jpg", "🐈.jpg", "x" * 900 + ".jpg", "=1+2.jpg", "'q.jpg"),
    *("no ending", "notes.txt", ".hidden.jpg", "Thumbs.db", "trailing. ", "#1.jpg", "clip.mp4#0001.0s"),
]
CLASSES = [
    "test",
    "images",
    "a/b",
    "a_b",
    "..",
    "CON",
    "🐈",
    "cat",
    "Cat",
    "unlabelled",
    "=cmd",
    "-1",
    "cat|a_b",
    "y" * 200,
]


def read(pieces: Any) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(pieces)))


def manifest_of(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode(), newline="")))


def facts(project: Project) -> set[tuple[Any, ...]]:
    rows = Sample.objects.filter(project=project, deleted_at=None)
    return set(rows.values_list("image__sha256", "image_class__name", "split", "group", "file_name"))


def freeze(project: Project) -> DatasetVersion:
    return freeze_dataset_version(project, validation_percentage=20, testing_percentage=20, by=project.owner)


@pytest.fixture
def hostile(project: Project) -> Project:
    """Fill the project with names that no system would take, some without a class or a split, some in groups."""
    pictures = [
        (name, label, make_jpeg(100 * place + number))
        for place, label in enumerate(CLASSES)
        for number, name in enumerate(NAMES[:4])
    ]
    upload_pictures(project, pictures)
    freeze(project)
    upload_pictures(project, [(name, CLASSES[place % 3], make_jpeg(9000 + place)) for place, name in enumerate(NAMES)])
    ids = list(Sample.objects.filter(project=project).values_list("pk", flat=True))
    Sample.objects.filter(pk__in=ids[::7]).update(image_class=None)
    samples.set_group(project, samples.pick(project, ids[3:6]), "clip 7", by=None)
    samples.set_group(project, samples.pick(project, ids[8:9]), "@home", by=None)
    return project


@pytest.mark.parametrize("unpacked", [False, True])
def test_round_trip(hostile: Project, tmp_path: Path, unpacked: bool) -> None:
    archive = tmp_path / "taken.zip"
    archive.write_bytes(b"".join(stream_zip(list_samples(hostile))))
    if unpacked:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(tmp_path / "taken")
    other = create_project("Other", by=hostile.owner, slug="other")
    call_command("import_dataset", str(tmp_path / "taken" if unpacked else archive), "--project", "other", verbosity=0)
    assert facts(other) == facts(hostile)
    assert len(facts(other)) == 4 * len(CLASSES) + len(NAMES)
    assert set(other.uploads.get().items.values_list("status", flat=True)) == {"stored"}  # the manifest is none of it


def test_folders_are_splits_and_classes(filled: Project) -> None:
    assert {name.count("/") for name in read(stream_zip(list_samples(filled))).namelist()} == {0, 1}
    freeze(filled)
    upload_pictures(filled, [("new.jpg", "red", make_jpeg(77))])
    names = read(stream_zip(list_samples(filled))).namelist()
    assert {name.rpartition("/")[0] for name in names} == {
        *(f"{split}/{label}" for split in ("training", "validation", "test") for label in ("red", "green", "blue")),
        *("no split/red", ""),
    }


def test_bytes_and_manifest_agree(filled: Project) -> None:
    freeze(filled)
    archive = read(stream_zip(list_samples(filled)))
    rows = manifest_of(archive)
    assert len(rows) == 18
    for row in rows:
        assert hashlib.sha256(archive.read(row["file"])).hexdigest() == row["sha256"]
        assert row["file"].startswith(f"{row['split']}/{row['label']}/")
        assert (row["uploaded_by"], row["file_name"].split("/")[0]) == ("owner", row["label"])


def test_manifest_alone_is_the_same(filled: Project) -> None:
    freeze(filled)
    archive = read(stream_zip(list_samples(filled)))
    assert b"".join(stream_manifest(list_samples(filled))) == archive.read("manifest.csv")


def test_dataset_version_stays_as_it_was(filled: Project) -> None:
    version = freeze(filled)
    before = {(row["sha256"], row["label"], row["split"]) for row in manifest_of(read(stream_zip(version)))}
    red, green = filled.classes.get(name="red"), filled.classes.get(name="green")
    ids = list(Sample.objects.filter(image_class=red).values_list("pk", flat=True))
    samples.move_samples(filled, samples.pick(filled, ids[:2]), to=green, by=None)
    samples.delete_samples(filled, samples.pick(filled, ids[2:3]), by=None)
    rename_class(green, "leaf", by=None)
    after = {(row["sha256"], row["label"], row["split"]) for row in manifest_of(read(stream_zip(version)))}
    assert after == {(sha256, "leaf" if label == "green" else label, split) for sha256, label, split in before}


def test_what_was_purged_is_named(filled: Project) -> None:
    version = freeze(filled)
    gone = Sample.objects.filter(project=filled).select_related("image")[0]
    samples.delete_samples(filled, samples.pick(filled, [gone.pk]), by=None)
    samples.purge_samples(filled)
    archive = read(stream_zip(version))
    assert archive.read("LEFT_OUT.txt").decode() == f"{gone.image.sha256}: It was deleted for good.\n"
    assert len(manifest_of(archive)) == 17


def test_purged_picture_of_which_others_have_a_copy_is_not_shown(filled: Project) -> None:
    version = freeze(filled)
    gone = Sample.objects.filter(project=filled).select_related("image")[0]
    Sample.objects.create(project=create_project("Other", by=filled.owner), image=gone.image, file_name="theirs.jpg")
    samples.delete_samples(filled, samples.pick(filled, [gone.pk]), by=None)
    samples.purge_samples(filled)
    assert len(manifest_of(read(stream_zip(version)))) == 17


@pytest.mark.usefixtures("folder_storage")
def test_missing_and_damaged_pictures_are_named_and_noted(filled: Project) -> None:
    found = Sample.objects.filter(project=filled).select_related("image")[:2]
    (lost, damaged), names = (sample.image for sample in found), [sample.file_name for sample in found]
    default_storage.delete(lost.path)
    default_storage.delete(damaged.path)
    default_storage.save(damaged.path, ContentFile(b"nonsense"))
    archive = read(stream_zip(list_samples(filled)))
    assert archive.read("LEFT_OUT.txt").decode().splitlines() == [
        f"{names[0]}: Its file is missing in the storage.",
        f"{names[1]}: Its file in the storage is damaged.",
    ]
    assert len(manifest_of(archive)) == 16
    assert Image.objects.exclude(damaged_at=None).count() == 2


def test_empty_project(project: Project) -> None:
    assert read(stream_zip(list_samples(project))).namelist() == ["manifest.csv"]


# Over HTTP


def test_owner_takes_out(trained: ModelVersion, as_owner: Client) -> None:
    slug = trained.project.slug
    for address in (f"/projects/{slug}/download", f"/api/v1/projects/{slug}/download?dataset_version=1"):
        answer = as_owner.get(address)
        assert answer["Content-Type"] == "application/zip"
        assert len(read(answer.streaming_content).namelist()) == 19  # type: ignore[attr-defined]
    answer = as_owner.get(f"/projects/{slug}/download?manifest_only=1")
    assert answer["Content-Disposition"] == f'attachment; filename="{slug}.csv"'
    assert answer.getvalue().count(b"\r\n") == 19


def test_filter_of_the_grid_holds_for_the_download(trained: ModelVersion, as_owner: Client) -> None:
    slug = trained.project.slug
    for address in (f"/projects/{slug}/download", f"/api/v1/projects/{slug}/download"):
        rows = manifest_of(read(as_owner.get(f"{address}?split=training&name=red").streaming_content))  # type: ignore[attr-defined]
        assert [(row["split"], row["label"]) for row in rows] == 4 * [("training", "red")]
        assert as_owner.get(f"{address}?split=test&dataset_version=1").status_code == 422


@pytest.mark.parametrize("asked", ["dataset_version=7", "dataset_version=0", "dataset_version=x"])
def test_version_that_is_not_there(trained: ModelVersion, as_owner: Client, asked: str) -> None:
    assert as_owner.get(f"/projects/{trained.project.slug}/download?{asked}").status_code == 404
    assert as_owner.get(f"/api/v1/projects/{trained.project.slug}/download?{asked}").status_code in (404, 422)


def test_too_many_at_once_are_asked_to_come_again(
    filled: Project, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Closing a response closes the connection when it is old: the test's transaction lives on it.
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)
    address = f"/api/v1/projects/{filled.slug}/download"
    running = [as_owner.get(address) for _ in range(downloads.MOST_AT_ONCE)]
    refused = as_owner.get(address)
    assert (refused.status_code, refused.json()["error"].split(".")[0]) == (
        503,
        "Others are downloading pictures at the moment",
    )
    running[0].close()  # the client has gone
    last = as_owner.get(address)
    assert last.status_code == 200
    for answer in (*running, last):
        answer.close()


def test_pages_of_the_database_do_not_depend_on_the_pictures(
    project: Project, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr("classifier.services.dataset_pictures.PAGE", 10)
    upload_pictures(project, [(name, "red", data) for name, data in coloured_pictures(5).items()])
    with django_assert_num_queries(4):  # whether any has a split, two pages, and that there is none after them
        b"".join(stream_zip(list_samples(project)))


def test_chosen_pictures_over_the_api(trained: ModelVersion, as_owner: Client, as_stranger: Client) -> None:
    project = trained.project
    first, second, *_ = project.samples.order_by("pk")

    def post(client: Client, **sent: Any) -> Any:
        return client.post(f"/api/v1/projects/{project.slug}/download", sent, content_type="application/json")

    rows = manifest_of(read(post(as_owner, ids=[first.pk, second.pk, 10**9]).streaming_content))
    assert [row["file_name"] for row in rows] == [first.file_name, second.file_name]
    assert len(manifest_of(read(post(as_owner, filter={"name": "red"}).streaming_content))) == 6
    table = post(as_owner, ids=[first.pk], manifest_only=True)
    assert table["Content-Type"].startswith("text/csv")
    assert first.file_name in b"".join(table.streaming_content).decode()
    assert [post(as_owner).status_code, post(as_owner, ids=list(range(10_001))).status_code] == [422, 422]
    assert post(as_stranger, ids=[first.pk]).status_code == 404


def test_chosen_pictures_alone(trained: ModelVersion, as_owner: Client, as_stranger: Client) -> None:
    project = trained.project
    address = reverse("download", args=[project.slug])
    first, second, *_ = project.samples.order_by("pk")
    for sent in ({"sample": [first.pk, second.pk]}, {"ids": f"{first.pk},{second.pk},x"}):
        rows = manifest_of(read(as_owner.post(address, sent).streaming_content))
        assert [row["file_name"] for row in rows] == [first.file_name, second.file_name]
    wanted = {"all": "true", "filter": "name=red"}
    assert len(manifest_of(read(as_owner.post(address, wanted).streaming_content))) == 6
    assert as_stranger.post(address, {"sample": [first.pk]}).status_code == 404
