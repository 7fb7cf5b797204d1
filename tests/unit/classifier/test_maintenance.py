"""What the administrator is told, and what to do."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from redis.exceptions import RedisError

from classifier import workers
from classifier.disk import LOW
from classifier.jobs import lifecycle, reporting, sending
from classifier.jobs.kinds import EXPORT, QUEUES, TRAIN
from classifier.models import Job, ModelVersion, Project
from classifier.outages import STORAGE
from classifier.schema import describe_program
from classifier.services import maintenance
from classifier.services.maintenance import look_after
from ml.machine import describe_software, folder_size, measure_processes
from poetsweb.shared_settings import digest_settings
from worker.management.commands import run_reaper


@pytest.fixture(autouse=True)
def _all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"version": "Python 3", "memory": 2**30, "processes": 3, "program": describe_program()}
    workers.record_worker("worker@here", ["ingest", "embed"], **told)
    workers.record_worker("trainer@here", ["train", "untrusted"], program=describe_program())
    workers.record_reaper([])
    monkeypatch.setattr(maintenance, "free_bytes", lambda: 10 * LOW)


def texts() -> list[str]:
    return [finding.text for finding in look_after().findings]


def test_nothing_needs_a_look_where_all_is_well(db: None) -> None:
    found = look_after()
    assert found.findings == []
    assert [state.worker.name for state in found.workers] == ["trainer@here", "worker@here"]
    assert [queue.served for queue in found.queues] == [True] * len(QUEUES)


def test_worker_that_is_gone_is_told_with_what_waits_for_it(project: Project) -> None:
    cache.delete("worker:trainer@here")
    sending.queue_job(TRAIN, project=project, by=project.owner)
    assert texts() == [
        "No worker serves the queue “train”, and 1 jobs wait for one.",
        "No worker serves the queue “untrusted”.",
    ]


def test_job_that_waits_for_long_is_told(project: Project) -> None:
    job = sending.queue_job(TRAIN, project=project, by=project.owner)
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(minutes=20))
    assert texts() == ["In the queue “train” a job has waited for 20 minutes."]


def test_silent_postponed_and_slow_jobs_are_told(project: Project) -> None:
    jobs = [lifecycle.claim_job(sending.queue_job(EXPORT, project=project, by=None).pk) for _ in range(3)]
    silent, postponed, slow = (job for job in jobs if job is not None)
    reporting.enter_stage(slow, "build", total=1)
    hour = timezone.now() - timedelta(hours=1)
    Job.objects.filter(pk=silent.pk).update(heartbeat_at=hour)
    Job.objects.filter(pk=slow.pk).update(stage_started_at=hour, progress_at=hour)
    lifecycle.postpone_job(postponed, STORAGE)
    found = look_after().findings
    assert [finding.job for finding in found] == [silent, postponed, slow]
    assert "has not given a sign of life" in found[0].text
    assert "waits because the file storage does not answer" in found[1].text
    assert "60 minutes later than was foreseen" in found[2].text


@pytest.mark.parametrize("free", [LOW - 1, 0])
def test_disk_that_fills_up_is_told(free: int, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "free_bytes", lambda: free)
    assert "are free on the disk" in texts()[0]
    assert ("Uploads are refused." in texts()[0]) is (free == 0)


def test_reaper_that_is_gone_or_in_trouble_is_told(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    workers.record_reaper(["recover_jobs"])
    assert texts() == ["The reaper could not do one of its duties: recover_jobs."]
    cache.delete(workers.REAPER)
    assert "has not been heard of lately" in texts()[0]


def test_page_answers_while_the_cache_is_away(owner: User, as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise RedisError

    monkeypatch.setattr(workers, "cache", SimpleNamespace(get=away))
    User.objects.update(is_superuser=True)
    page = as_owner.get(reverse("maintenance")).content.decode()
    assert "No worker has been heard of" in page


def test_page_and_api_tell_what_workers_do(trained: ModelVersion, as_owner: Client) -> None:
    User.objects.update(is_superuser=True)
    job = sending.queue_job(EXPORT, project=trained.project, by=trained.project.owner)
    lifecycle.claim_job(job.pk, worker="trainer@here")
    page = as_owner.get(reverse("maintenance")).content.decode()
    assert "Exporting" in page
    assert "in 3\n        processes" in page
    told = as_owner.get("/api/v1/maintenance").json()
    assert {one["name"]: one["jobs"] for one in told["workers"]} == {"trainer@here": [job.pk], "worker@here": []}
    assert told["findings"] == []
    sizes = {space["title"]: space["size"] for space in told["spaces"]}
    assert sizes["Pictures"] > 0


def test_reaper_goes_on_after_a_duty_that_fails(db: None) -> None:
    def broken() -> None:
        raise ValueError

    assert not run_reaper._do(broken)
    assert run_reaper._do(lambda: None)


def test_machine_tells_of_itself(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"x" * 1000)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    assert folder_size(tmp_path) == 1000
    assert folder_size(tmp_path / "nowhere") == 0
    assert measure_processes().memory > 2**20
    assert describe_software().startswith("Python 3.")


def test_worker_of_another_version_is_told(db: None) -> None:
    workers.record_worker("there@b", ["train"], program="0.0.9 (0034_share_links)")
    assert texts() == [f"The worker there@b runs PoetsWeb 0.0.9 (0034_share_links), and this is {describe_program()}."]


def test_worker_with_other_settings_is_told(db: None, settings: Any) -> None:
    here = digest_settings()
    workers.record_worker("same@a", ["train"], program=describe_program(), settings=here)
    settings.SITE_URL = "https://elsewhere.example.org"
    there = {**digest_settings(), "QUOTA_USER_GB": "other", "of a later version": "x"}
    workers.record_worker("there@b", ["train"], program=describe_program(), settings=there)
    settings.SITE_URL = "http://localhost:8000"
    assert [text for text in texts() if "values of" in text] == [
        "The worker there@b has other values of SITE_URL, QUOTA_USER_GB than this process."
    ]
    assert not any(settings.SECRET_KEY in digest for digest in here.values())


def test_worker_of_a_newer_version_may_tell_more(db: None) -> None:
    workers.record_worker("here@a", ["train"])
    cache.set("worker:here@a", {"name": "here@a", "queues": ["train"], "mood": "good"}, 10)
    assert workers.list_workers()["here@a"] == ["train"]
