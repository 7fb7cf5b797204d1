"""Samples that show the same thing are one group, which no training finds in two splits."""

import io
import pkgutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import GET_READY, KINDS, TRAIN
from classifier.models import Job, Project, Sample
from classifier.outages import StorageAway
from classifier.services import datasets, groups, leaks, model_versions, uploads
from classifier.services.images import read_file
from ml.datasets.archives import ArchiveEntry
from ml.datasets.groups import SAME_PHOTO
from ml.training.config import TrainConfig
from tests.datasets import coloured_pictures, make_zip
from tests.pictures import encode, photo_like_jpeg
from tests.unit.classifier.conftest import add_pictures, publish
from worker import same_photos
from worker.get_ready import get_ready
from worker.run import run_job

pytestmark = pytest.mark.django_db


def freeze(project: Project) -> None:
    datasets.freeze_dataset_version(project, validation_percentage=10, testing_percentage=10, by=None)


def add_photos(project: Project, label: str, seeds: range, group: str = "") -> list[int]:
    upload = uploads.start_upload(project, "test", by=None)
    entries = [ArchiveEntry(f"{seed}.jpg", label, photo_like_jpeg(seed, 120, 90), None, "", group) for seed in seeds]
    uploads.add_read(upload, entries)
    return list(Sample.objects.filter(project=project).order_by("-pk").values_list("pk", flat=True)[: len(seeds)])


def test_pairs_become_groups_and_join_those_that_there_are(project: Project) -> None:
    one, two, three, four, five = add_photos(project, "a", range(5))[::-1]
    groups.join_samples(project, [(one, two), (three, four)])
    assert dict(Sample.objects.values_list("pk", "group")) == {
        **dict.fromkeys((one, two), f"{SAME_PHOTO} {one}"),
        **dict.fromkeys((three, four), f"{SAME_PHOTO} {three}"),
        five: "",
    }
    groups.join_samples(project, [(two, three), (five, 10**6)])
    assert set(Sample.objects.exclude(pk=five).values_list("group", flat=True)) == {f"{SAME_PHOTO} {one}"}


def test_joining_groups_looks_at_the_project_once(project: Project) -> None:
    """Not once for each group, while nobody else can write."""
    ids = add_photos(project, "a", range(8))[::-1]
    groups.join_samples(project, [(ids[2 * i], ids[2 * i + 1]) for i in range(4)])
    with CaptureQueriesContext(connection) as queries:
        groups.join_samples(project, [(ids[0], ids[2]), (ids[4], ids[6])])
    assert not [query for query in queries if query["sql"].startswith("UPDATE") and '"id" IN' not in query["sql"]]
    names = list(Sample.objects.order_by("pk").values_list("group", flat=True))
    assert names == [f"{SAME_PHOTO} {ids[0]}"] * 4 + [f"{SAME_PHOTO} {ids[4]}"] * 4


def test_name_that_people_gave_stays(project: Project) -> None:
    (given,) = add_photos(project, "a", range(1), group="clip 7")
    (found,) = add_photos(project, "a", range(1, 2))
    groups.join_samples(project, [(found, given)])
    assert set(Sample.objects.values_list("group", flat=True)) == {"clip 7"}


def test_dealt_samples_move_only_when_asked(project: Project) -> None:
    add_pictures(project, coloured_pictures(10))
    freeze(project)
    red = Sample.objects.filter(project=project, image_class__name="red")
    test, training = (red.filter(split=split)[0] for split in ("test", "training"))
    groups.join_samples(project, [(test.pk, training.pk)])
    freeze(project)
    assert set(red.filter(pk__in=(test.pk, training.pk)).values_list("split", flat=True)) == {"test", "training"}
    assert leaks.count_leaked(project) == 1
    assert leaks.mend_leaks(project) == 1
    assert leaks.count_leaked(project) == 0
    freeze(project)
    assert red.exclude(group="").values("split").distinct().count() == 1


def test_page_tells_of_leaks_and_the_owner_mends_them(project: Project, as_owner: Client, as_stranger: Client) -> None:
    add_pictures(project, coloured_pictures(10))
    freeze(project)
    red = Sample.objects.filter(project=project, image_class__name="red")
    groups.join_samples(project, [(red.filter(split="test")[0].pk, red.filter(split="training")[0].pk)])
    assert "1 picture for validation or test" in as_owner.get(project.get_absolute_url()).content.decode()
    address = reverse("mend_splits", args=[project.slug])
    assert as_stranger.post(address).status_code == 404
    assert leaks.count_leaked(project) == 1
    page = as_owner.post(address, follow=True).content.decode()
    assert "1 picture has been moved" in page
    assert "for validation or test" not in page


def test_accuracy_is_told_without_what_leaks(project: Project, as_owner: Client) -> None:
    """The version answers “blue” to everything: right for one of three test pictures, and that one leaks."""
    add_pictures(project, coloured_pictures(10))
    version = publish(project)
    assert leaks.accuracy_without_leaks(version) is None
    address = f"/api/v1/projects/{project.slug}/versions/1"
    assert as_owner.get(address).json()["without_leaks"] is None
    blue = Sample.objects.filter(project=project, image_class__name=version.dataset_version.classes[0][1])
    groups.join_samples(project, [(blue.get(split="test").pk, blue.filter(split="training")[0].pk)])
    found = leaks.accuracy_without_leaks(version)
    assert found is not None
    assert (found.accuracy, found.n, found.groups) == (0.0, 2, 2)
    assert as_owner.get(address).json()["without_leaks"]["accuracy"] == 0.0
    page = " ".join(as_owner.get(version.get_absolute_url()).content.decode().split())
    assert "of the 2 that show something else, <strong>0.0 %</strong>" in page
    model_versions.promote(version, by=project.owner)
    page = " ".join(as_owner.get(project.get_absolute_url()).content.decode().split())
    assert "33.3 % were classified correctly, and 0.0 % of those 2 that show something else" in page
    leaks.mend_leaks(project)
    assert leaks.accuracy_without_leaks(version) == found  # what it was trained on has not changed


def test_page_of_a_version_whose_files_are_lost_is_still_shown(project: Project, as_owner: Client) -> None:
    add_pictures(project, coloured_pictures(10))
    version = publish(project)
    default_storage.delete(f"artifacts/{version.artifact_digest}/evaluation.npz")
    assert leaks.accuracy_without_leaks(version) is None
    assert as_owner.get(version.get_absolute_url()).status_code == 200


def test_no_file_name_joins_a_group_that_was_found(project: Project) -> None:
    add_photos(project, "a", range(1), group=f"{SAME_PHOTO} 12")
    assert Sample.objects.get().group == ""


def test_same_photo_in_two_classes_is_a_contradiction(project: Project) -> None:
    (first,), (second,) = add_photos(project, "a", range(1)), add_photos(project, "b", range(1, 2))
    groups.join_samples(project, [(first, second)])
    assert groups.list_contradictions(project) == [f"{SAME_PHOTO} {min(first, second)}"]


def test_frames_of_a_video_are_a_group(project: Project) -> None:
    pictures = list(coloured_pictures(9).values())
    names = [f"{label}/vid{number % 3}_frame{number:03}.jpg" for label in ("good", "bad") for number in range(9)]
    archive = make_zip(dict(zip(names, pictures[: len(names)], strict=False)))
    job = uploads.receive_archive(project, SimpleUploadedFile("a.zip", archive), "a.zip", by=project.owner).job
    assert job is not None
    run_job(job.pk)
    assert set(Sample.objects.values_list("group", flat=True)) == {"vid0", "vid1", "vid2"}
    freeze(project)
    for group in ("vid0", "vid1", "vid2"):
        assert Sample.objects.filter(group=group).values("split").distinct().count() == 1


def test_same_photos_are_found_as_they_come(
    project: Project, settings: Any, backbones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ML = replace(settings.ML, backbones_dir=backbones)
    photo = Image.open(io.BytesIO(photo_like_jpeg(1)))
    smaller = encode(photo.resize((250, 188)), "JPEG")
    add_pictures(project, {"a/1.jpg": photo_like_jpeg(1), "a/2.jpg": photo_like_jpeg(2)})
    job = sending.queue_job(GET_READY, project=project, by=project.owner)
    work(job.pk)
    assert set(Sample.objects.values_list("group", "is_compared")) == {("", True)}
    add_pictures(project, {"a/3.jpg": smaller})
    work(sending.queue_job(GET_READY, project=project, by=project.owner).pk)
    assert sorted(Sample.objects.exclude(group="").values_list("file_name", flat=True)) == ["a/1.jpg", "a/3.jpg"]


def work(pk: int) -> None:
    """Run the job and its parts as a worker does."""
    while (job := lifecycle.claim_job(pk)) is not None:
        get_ready(job)
        for child in Job.objects.filter(parent=pk, status=Job.Status.QUEUED):
            claimed = lifecycle.claim_job(child.pk)
            assert claimed is not None
            pkgutil.resolve_name(KINDS[claimed.kind].run)(claimed)
    assert Job.objects.get(pk=pk).status == Job.Status.SUCCEEDED


def test_training_looks_for_the_same_photos_before_it_deals_them(
    project: Project, settings: Any, backbones: Path
) -> None:
    settings.ML = replace(settings.ML, backbones_dir=backbones)
    for seed in range(8):
        photo = Image.open(io.BytesIO(photo_like_jpeg(seed)))
        copies = {f"copy{size}": encode(photo.resize((size, size * 3 // 4)), "JPEG") for size in (200, 240, 280)}
        label = "even" if seed % 2 == 0 else "odd"
        add_pictures(project, {f"{label}/{seed}-{name}.jpg": data for name, data in copies.items()})
    config = TrainConfig(backbone="testing", flip_left_right=True, augmented_copies=1).as_dict()
    job = sending.queue_job(TRAIN, project=project, by=project.owner, config=config)
    for _ in range(3):  # for the embeddings of all pictures, those of copies, and the rest
        run_job(job.pk)
        for child in job.children.filter(status=Job.Status.QUEUED):
            run_job(child.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail
    samples = Sample.objects.filter(project=project)
    photos = {seed: samples.filter(file_name__contains=f"/{seed}-") for seed in range(8)}
    assert all(found.exclude(group="").values("group", "split").distinct().count() == 1 for found in photos.values())
    assert samples.values("group").distinct().count() == 8
    assert leaks.count_leaked(project) == 0


def test_sketch_is_drawn_once_in_a_process_which_keeps_only_some(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(same_photos, "_cache", same_photos._SketchCache())
    monkeypatch.setattr(same_photos, "CACHED", 1)
    add_pictures(project, {"a/1.jpg": photo_like_jpeg(41), "a/2.jpg": photo_like_jpeg(42)})
    sha256s = list(project.samples.order_by("file_name").values_list("image__sha256", flat=True))
    read = []
    monkeypatch.setattr(same_photos, "read_file", lambda path: read.append(path) or read_file(path))
    with ThreadPoolExecutor(1) as pool:
        first = same_photos._Sketches(sha256s, pool).draw([0, 1, 0])
        assert len(read) == 2
        assert (first[0] == first[2]).all()
        assert not (first[0] == first[1]).all()
        again = same_photos._Sketches(sha256s[::-1], pool).draw([0, 1])
        assert (again == first[[1, 0]]).all()
        assert len(read) == 2, "not read again by the next comparison"
        same_photos._cache.shrink()
        assert (same_photos._Sketches(sha256s, pool).draw([0]) == first[[0]]).all()
        assert len(read) == 2, "what was needed last is kept"
        same_photos._Sketches(sha256s, pool).draw([1])
        assert len(read) == 3


def test_file_that_is_gone_is_like_nothing_and_a_storage_that_is_away_is_waited_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert not same_photos._Sketches(["0" * 64], pool).draw([0]).any()
        monkeypatch.setattr(same_photos, "read_file", lambda path: (_ for _ in ()).throw(StorageAway("gone")))
        with pytest.raises(StorageAway):
            same_photos._Sketches(["0" * 64], pool).draw([0])
