"""Embeddings are computed as pictures come in, below anything that somebody waits for."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from classifier.jobs import lifecycle, sending
from classifier.jobs.fairness import claim_fairly
from classifier.jobs.kinds import EMBED, GET_READY, INGEST, SAME_PHOTOS, TRAIN, JobKind
from classifier.models import Embedding, Job, Project
from classifier.services import readiness
from classifier.services.images import read_file
from classifier.services.projects import create_project
from ml.training.config import TrainConfig
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures
from worker.get_ready import run_in_background
from worker.run import run_fair_job, run_job
from worker.same_photos import _SketchCache, find_same_photos

pytestmark = pytest.mark.django_db(transaction=True)  # what is queued when a transaction commits


@pytest.fixture(autouse=True)
def _early(settings: Any, backbones: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A thread would keep its own connection, to a database that the tests want to drop.
    monkeypatch.setattr("worker.run.run_in_background", lambda work, job: work(job))
    settings.EMBED_EARLY = True
    settings.ML = replace(settings.ML, backbones_dir=backbones)


def add(project: Project, each: int, seed: int = 0) -> None:
    add_pictures(project, coloured_pictures(each, seed=seed))


def run_all(limit: int = 50) -> None:
    """Work as a worker does, until no job waits."""
    for _ in range(limit):
        due = Job.objects.filter(~lifecycle.WAITS_FOR_CHILDREN, status__in=Job.OPEN, lease="").order_by("pk").first()
        if due is None:
            return
        run_fair_job(due.pk)
    pytest.fail("There is no end of it.")


def test_pictures_are_ready_without_anybody_asking(project: Project) -> None:
    add(project, 40)
    add(project, 5, seed=1000)
    assert Job.objects.filter(kind=GET_READY.name).count() == 1
    run_all()
    assert Embedding.objects.count() == project.samples.count()
    assert Job.objects.get(kind=GET_READY.name).status == Job.Status.SUCCEEDED
    assert readiness.find_open(project) is None


@pytest.mark.parametrize(("enough", "kinds"), [(15, [SAME_PHOTOS, EMBED]), (16, [EMBED])])
def test_same_photos_are_looked_for_while_others_are_embedded(
    project: Project, monkeypatch: pytest.MonkeyPatch, enough: int, kinds: list[JobKind]
) -> None:
    monkeypatch.setattr("worker.get_ready.MANY", enough)
    add(project, 5)
    job = Job.objects.get()
    run_job(job.pk)
    for child in job.children.all():
        run_job(child.pk)
    add(project, 5, seed=1000)
    run_job(job.pk)  # which has 15 to compare and 15 to embed
    waiting = job.children.filter(status=Job.Status.QUEUED).order_by("pk")
    assert list(dict.fromkeys(waiting.values_list("kind", flat=True))) == [kind.name for kind in kinds]
    run_all()
    assert not project.samples.filter(is_compared=False).exists()
    assert Embedding.objects.count() == project.samples.count()


def test_search_for_the_same_photos_ends_when_a_training_takes_over(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.get_ready.MANY", 1)
    add(project, 5)
    job = Job.objects.get()
    run_job(job.pk)
    for child in job.children.all():
        run_job(child.pk)
    run_job(job.pk)
    child = lifecycle.claim_job(job.children.get(kind=SAME_PHOTOS.name).pk)
    assert child is not None
    read: list[str] = []

    def train_is_pressed(path: str) -> bytes:
        if not read:
            readiness.give_way(project)
        read.append(path)
        return read_file(path)

    monkeypatch.setattr("worker.same_photos._cache", _SketchCache())
    monkeypatch.setattr("worker.same_photos._DRAWN_AT_ONCE", 2)
    monkeypatch.setattr("worker.same_photos.read_file", train_is_pressed)
    monkeypatch.setattr("worker.throttle.REPORT_SECONDS", 0)
    with pytest.raises(lifecycle.LeaseLost):
        find_same_photos(child)
    assert len(read) == 2 < project.samples.count()
    assert project.samples.filter(is_compared=False).count() == project.samples.count()


def test_training_finds_them_computed(project: Project) -> None:
    add(project, 5)
    run_all()
    job = sending.queue_job(TRAIN, project=project, by=project.owner, config=TrainConfig(backbone="testing").as_dict())
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail
    assert not job.children.exists()


def test_training_takes_over_what_is_not_done_yet(project: Project) -> None:
    add(project, 5)
    background = Job.objects.get()
    run_job(background.pk)
    config = TrainConfig(backbone="testing").as_dict()
    job = sending.queue_job(TRAIN, project=project, by=project.owner, config=config)
    run_job(job.pk)
    background.refresh_from_db()
    assert background.status == Job.Status.CANCELLED
    assert not background.children.filter(status__in=Job.OPEN).exists()
    run_all()
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail


def test_pictures_that_come_meanwhile_are_taken_too(project: Project) -> None:
    add(project, 5)
    job = Job.objects.get()
    run_job(job.pk)
    add(project, 5, seed=1000)
    run_all()
    assert Embedding.objects.count() == project.samples.count()
    assert Job.objects.filter(parent=None, kind=GET_READY.name).count() == 1


def test_next_pictures_leave_no_old_jobs_behind(project: Project) -> None:
    for seed in (0, 1000, 2000):
        add(project, 5, seed=seed)
        run_all()
    assert Job.objects.filter(parent=None, kind=GET_READY.name).count() == 1


def test_everything_else_goes_first(project: Project) -> None:
    add(project, 20)
    background = Job.objects.get()
    run_job(background.pk)
    parts = list(background.children.all())
    waiting = [sending.queue_job(INGEST, project=project, by=project.owner, config={})]
    parent = lifecycle.claim_job(sending.queue_job(TRAIN, project=project, by=project.owner).pk)
    assert parent is not None
    waiting += sending.queue_children(parent, EMBED, configs=[{"units": 1}])
    taken = [claim_fairly(parts[0].pk), claim_fairly(parts[0].pk)]
    assert {job.pk for job in taken if job} == {job.pk for job in waiting}
    assert claim_fairly(waiting[0].pk) in parts  # whose message was not used yet


def test_nobody_sees_or_counts_it(project: Project, as_owner: Client, settings: Any) -> None:
    settings.QUOTA_USER_JOBS = 1
    add(project, 5)
    assert as_owner.get(f"/api/v1/projects/{project.slug}/jobs").json() == []
    sending.queue_job(TRAIN, project=project, by=project.owner)


def test_operator_may_switch_it_off(project: Project, settings: Any) -> None:
    settings.EMBED_EARLY = False
    add(project, 5)
    assert not Job.objects.exists()


def test_backbone_of_the_last_training_is_taken_unless_its_weights_are_missing(project: Project) -> None:
    backbone = readiness.choose_backbone(project)
    assert backbone is not None
    assert backbone.name == "testing"
    config = TrainConfig(backbone="resnet50").as_dict()
    sending.queue_job(TRAIN, project=project, by=project.owner, config=config)
    assert readiness.choose_backbone(project) is None  # which only a training downloads
    sending.queue_job(TRAIN, project=project, by=project.owner, config={"backbone": "gone"})
    assert readiness.choose_backbone(project) is None


def test_project_without_pictures_has_nothing_to_do(project: Project) -> None:
    other = create_project("Empty", by=project.owner)
    readiness.get_ready_soon(other)
    run_all()
    assert Job.objects.get().status == Job.Status.SUCCEEDED


def test_page_says_how_far_it_is_and_when_it_is_done(project: Project, as_owner: Client) -> None:
    page = as_owner.get(project.get_absolute_url()).content.decode()
    assert "Getting pictures ready" not in page
    add(project, 5)
    run_job(Job.objects.get().pk)
    page = as_owner.get(project.get_absolute_url()).content.decode()
    assert "Getting pictures ready for training: 0 of" in page
    run_all()
    part = as_owner.get(reverse("readiness", args=[project.slug])).content.decode()
    assert "Ready to train." in part
    assert "hx-get" not in part


def test_background_has_a_thread_of_its_own_whose_errors_are_seen() -> None:
    seen: list[str] = []
    run_in_background(lambda job: seen.append(threading.current_thread().name), Job())
    assert seen[0].startswith("background")

    def fail(job: Job) -> None:
        raise lifecycle.LeaseLost("gone")

    with pytest.raises(lifecycle.LeaseLost):
        run_in_background(fail, Job())
