"""Projects that are always up to date, and a worker that trains their candidates."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import TRAIN
from classifier.models import Candidate, Job, ModelVersion, Project
from classifier.services import candidate_queue
from classifier.services.project_settings import change_settings
from ml.training.config import TrainConfig
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures
from worker.run import run_fair_job, run_job


@pytest.fixture(autouse=True)
def _here(settings: Any, backbones: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.run.run_in_background", lambda work, job: work(job))
    settings.EMBED_EARLY, settings.BACKBONE = False, "testing"
    settings.ML = replace(settings.ML, backbones_dir=backbones)


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidate_queue, "_end_of_rest", lambda: timezone.now() - timedelta(seconds=1))


END_OF_REST = candidate_queue._end_of_rest


@pytest.fixture
def end_of_rest(fresh: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let changes really rest for seconds from now on."""
    monkeypatch.setattr(candidate_queue, "_end_of_rest", END_OF_REST)


def work(limit: int = 60) -> None:
    """Work as a worker does, until no job is due."""
    for _ in range(limit):
        due = Job.objects.filter(lifecycle.IS_DUE, ~lifecycle.WAITS_FOR_CHILDREN, status__in=Job.OPEN, lease="")
        job = due.order_by("pk").first()
        if job is None:
            failed = Job.objects.filter(status=Job.Status.FAILED).first()
            assert failed is None, failed.error_detail
            return
        run_fair_job(job.pk)
    pytest.fail("There is no end of it.")


def candidate_files(project: Project) -> list[str]:
    try:
        return sorted(default_storage.listdir(f"candidates/{project.pk}")[0])
    except FileNotFoundError:
        return []


def candidate_of(project: Project) -> Candidate:
    return Candidate.objects.get(project=project)


def train(project: Project) -> ModelVersion:
    """Train as somebody does who presses Train and changes nothing of the settings."""
    job = sending.queue_job(TRAIN, project=project, by=project.owner, config=TrainConfig(backbone="testing").as_dict())
    run_job(job.pk)
    work()
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail
    return ModelVersion.objects.get(project=project, number=job.result["model_version"])


@pytest.fixture
def fresh(project: Project) -> Project:
    """Give a project that is always up to date, with three classes of six pictures and its first candidate."""
    add_pictures(project, coloured_pictures(6))
    project = change_settings(project, up_to_date=True)
    work()
    return project
