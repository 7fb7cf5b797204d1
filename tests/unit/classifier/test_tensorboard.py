"""TensorBoard for a training: the real one, behind the site's permissions."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from django.test import Client
from django.urls import reverse

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import TRAIN
from classifier.models import Job, Project
from classifier.services import event_files
from classifier.tensorboard import proxy
from ml.training.event_files import TrainingEventFiles
from ml.training.head import Head, LabelledFeatures

needs_tensorboard = pytest.mark.skipif(
    not proxy.is_installed(), reason="TensorBoard is not installed (make run EXTRAS=tensorboard)"
)


@pytest.fixture(autouse=True)
def _own_boards(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    settings.TENSORBOARD_DIR = tmp_path_factory.mktemp("b")
    yield
    for child in children():
        child.kill()
        child.wait(10)


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "classifier.tensorboard.server" in command_of(child)]


def command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # or it has just ended
        return []


@pytest.fixture
def watched(project: Project, tmp_path: Path) -> Job:
    return watch(project, tmp_path / "events")


def watch(project: Project, folder: Path) -> Job:
    """Make an ended training with event files."""
    job = lifecycle.claim_job(sending.queue_job(TRAIN, project=project, by=project.owner).pk)
    assert job is not None
    written = TrainingEventFiles(folder)
    split = LabelledFeatures(np.eye(6, 4, dtype=np.float32), np.arange(6) % 2)
    look = written.watch(split, split)
    for step in range(1, 6):
        look(step, Head(np.full((4, 2), step, np.float32), np.zeros(2, np.float32)), learning_rate=0.5)
    written.show_test(0.8)
    written.close()
    event_files.store_event_files(job, folder)
    lifecycle.fail_job(job.pk, sentence="The test ended it.", lease=job.lease)
    job.refresh_from_db()
    return job


def address(job: Job, rest: str = "") -> str:
    return reverse("job_tensorboard", args=[job.project.slug, job.number]) + rest


def wait_until(done: Any, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


@needs_tensorboard
def test_board_shows_what_the_training_wrote(watched: Job, as_owner: Client) -> None:
    page = as_owner.get(address(watched), headers={"accept-encoding": "identity"})
    assert page.status_code == 200
    assert b"<tf-" in page.content or b"<tb-" in page.content
    wait_until(lambda: len(as_owner.get(address(watched, "data/runs")).json()) == 3)
    assert sorted(as_owner.get(address(watched, "data/runs")).json()) == ["test", "train", "validation"]
    tags = as_owner.get(address(watched, "data/plugin/timeseries/tags")).json()
    assert tags["scalars"]["runTagInfo"]["validation"] == tags["scalars"]["runTagInfo"]["train"]
    assert "learning_rate" in tags["scalars"]["runTagInfo"]["train"]
    assert "final_training_ops/biases/summaries/histogram" in tags["histograms"]["runTagInfo"]["train"]
    question = '[{"plugin": "scalars", "tag": "learning_rate"}]'
    answer = as_owner.post(address(watched, "data/plugin/timeseries/timeSeries"), {"requests": question}).json()
    assert [point["step"] for point in answer[0]["runToSeries"]["train"]] == [1, 2, 3, 4, 5]
    assert tags["scalars"]["runTagInfo"]["test"] == ["accuracy_1"]


@needs_tensorboard
def test_board_runs_beside_us_without_tensorflow(watched: Job, as_owner: Client) -> None:
    assert as_owner.get(address(watched, "data/environment")).status_code == 200
    assert as_owner.get(address(watched, "data/environment")).status_code == 200
    (child,) = children()
    assert not [
        mapped.path for mapped in child.memory_maps() if "tensorflow" in mapped.path.split("/site-packages/")[-1]
    ]
    assert child.memory_info().rss < 250 * 2**20
    assert "SECRET_KEY" not in child.environ()
    assert (proxy._folder(watched).parent.stat().st_mode & 0o077) == 0


@needs_tensorboard
def test_board_may_load_what_is_ours_alone(watched: Job, as_owner: Client) -> None:
    policy = as_owner.get(address(watched))["Content-Security-Policy"]
    assert "https://" not in policy
    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in as_owner.get(watched.get_absolute_url())["Content-Security-Policy"]


@needs_tensorboard
def test_board_ends_when_nobody_asks(watched: Job, as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "IDLE_SECONDS", 4)  # a busy machine takes a while to ask for the first time
    assert as_owner.get(address(watched)).status_code == 200
    wait_until(lambda: not proxy._folder(watched).exists())
    wait_until(lambda: not children())
    assert as_owner.get(address(watched)).status_code == 200  # and begins again


@needs_tensorboard
def test_boards_are_limited_in_number(
    watched: Job, project: Project, as_owner: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(proxy, "MAX_PROCESSES", 1)
    other = watch(project, tmp_path / "other")
    assert as_owner.get(address(watched)).status_code == 200
    refused = as_owner.get(address(other))
    assert refused.status_code == 503
    assert "TensorBoard is already open for 1 trainings" in refused.content.decode()
    for child in children():  # one that was killed leaves its folder, and is no longer counted
        child.kill()
        child.wait(10)
    assert as_owner.get(address(other)).status_code == 200
    assert not proxy._folder(watched).exists()


@needs_tensorboard
def test_board_that_does_not_start_is_a_sentence(
    watched: Job, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "IDLE_SECONDS", "no number")
    refused = as_owner.get(address(watched))
    assert refused.status_code == 503
    assert "TensorBoard did not start." in refused.content.decode()
    assert "ValueError" not in refused.content.decode()


def test_board_is_offered_where_it_is_installed(
    watched: Job, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for is_installed in (True, False):
        monkeypatch.setattr(proxy, "is_installed", lambda answer=is_installed: answer)
        assert (address(watched) in as_owner.get(watched.get_absolute_url()).content.decode()) == is_installed
    assert as_owner.get(address(watched)).status_code == 404
    assert children() == []


def test_stranger_starts_no_board(watched: Job, as_stranger: Client, client: Client) -> None:
    for rest in ("", "data/runs"):
        assert as_stranger.get(address(watched, rest)).status_code == 404
        assert as_stranger.post(address(watched, rest)).status_code == 404
        assert client.get(address(watched, rest))["Location"].startswith("/sign-in")
    assert children() == []


def test_job_without_event_files_has_no_board(
    project: Project, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "is_installed", lambda: True)
    job = sending.queue_job(TRAIN, project=project, by=project.owner)
    assert as_owner.get(address(job)).status_code == 404
    assert as_owner.post(address(job), {"x": "y" * 2**21}).status_code == 413
    assert children() == []
