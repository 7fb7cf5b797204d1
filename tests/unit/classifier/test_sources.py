"""Test bringing pictures in from folders that the administrator allows, and from no others."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import Job, Project, Sample
from classifier.selectors import class_counts
from classifier.services import sources
from ml.datasets.readings import parse_layout
from tests.archive_files import make_folder
from tests.datasets import coloured_pictures, make_zip
from tests.pictures import make_jpeg
from worker.run import run_job


@pytest.fixture
def shared(tmp_path: Path, settings: Any) -> Path:
    """Allow a folder with six pictures of two classes, and another folder and file beside it that are not allowed."""
    pictures = list(coloured_pictures(6).values())
    names = [f"colours/{label}/{number}.jpg" for label in ("red", "blue") for number in range(3)]
    folder = make_folder(tmp_path, dict(zip(names, pictures, strict=False)))
    (tmp_path / "secret" / "x").mkdir(parents=True)
    (tmp_path / "secret" / "x" / "1.jpg").write_bytes(make_jpeg(99))
    (folder / "more.zip").write_bytes(make_zip({"green/1.jpg": pictures[8]}))
    settings.IMPORT_FROM = [str(folder)]
    return folder


def counts(project: Project) -> dict[str, int]:
    by_pk = class_counts(project)
    return {name: by_pk.get(pk, 0) for pk, name in project.classes.values_list("pk", "name")}


def test_folder_is_browsed_and_brought_in(project: Project, shared: Path, as_owner: Client) -> None:
    address = reverse("sources", args=[project.slug])
    assert str(shared) in as_owner.get(address).content.decode()
    assert "From this server" in as_owner.get(project.get_absolute_url()).content.decode()
    page = as_owner.get(address, {"source": str(shared)}).content.decode()
    assert "colours/" in page
    assert "more.zip" in page
    assert "red/" in as_owner.get(address, {"source": str(shared), "path": "colours"}).content.decode()
    answer = as_owner.post(address, {"source": str(shared), "path": "colours"})
    upload = project.uploads.get()
    assert answer.headers["Location"] == upload.get_absolute_url()
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert "Bring them in" in as_owner.get(upload.get_absolute_url()).content.decode()
    assert not project.samples.exists()
    as_owner.post(reverse("upload_answer", args=[project.slug, upload.pk]), {"accept": "1"})
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert counts(project) == {"red": 3, "blue": 3}
    assert Sample.objects.get(project=project, file_name="red/0.jpg").created_by == project.owner
    assert (shared / "colours" / "red" / "0.jpg").exists()


def test_archive_of_a_source_is_read_in_one_go(project: Project, shared: Path) -> None:
    upload = sources.ingest_source(project, str(shared), "more.zip", by=project.owner)
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert counts(project) == {"green": 1}
    assert (shared / "more.zip").exists()


def test_doubtful_folder_waits_for_an_answer(project: Project, shared: Path, as_owner: Client) -> None:
    (shared / "things").mkdir()
    kinds = [f"{a}/{b}/1.jpg" for a in ("cup", "jar") for b in ("good", "bad")]
    make_folder(shared / "things", {name: make_jpeg(number) for number, name in enumerate(kinds)})
    upload = sources.ingest_source(project, str(shared), "things/pictures", by=project.owner)
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert Job.objects.get(pk=upload.job_id).waits_for == "an answer"
    as_owner.post(reverse("upload_answer", args=[project.slug, upload.pk]), {"layout": "first"})
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert counts(project) == {"cup": 2, "jar": 2}


@pytest.mark.parametrize(
    "path", ["..", "../secret", "colours/../../secret", "/etc", "colours//red", "./colours", "no\0"]
)
def test_no_path_leads_out(path: str, project: Project, shared: Path, as_owner: Client) -> None:
    address = reverse("sources", args=[project.slug])
    for ask in (as_owner.get, as_owner.post):
        assert ask(address, {"source": str(shared), "path": path}).status_code == 404
    for ask in (sources.browse, lambda *asked: sources.plan_source(*asked, parse_layout("auto"))):
        with pytest.raises(sources.NoSuchSource):
            ask(str(shared), path)
    assert not project.uploads.exists()


def test_link_that_leads_out_is_not_followed(project: Project, shared: Path) -> None:
    os.symlink(shared.parent / "secret", shared / "link")
    os.symlink(shared.parent / "secret" / "x", shared / "colours" / "green")
    with pytest.raises(sources.NoSuchSource):
        sources.browse(str(shared), "link")
    assert sources.browse(str(shared), "colours").folders == ["blue", "red"]
    upload = sources.ingest_source(project, str(shared), "", by=None, layout="last")
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert counts(project) == {"red": 3, "blue": 3}


def test_source_that_is_no_longer_allowed_is_not_read(project: Project, shared: Path, settings: Any) -> None:
    upload = sources.ingest_source(project, str(shared), "colours", by=None)
    settings.IMPORT_FROM = []
    run_job(upload.job_id)  # type: ignore[arg-type]
    job = Job.objects.get(pk=upload.job_id)
    assert (job.status, job.error) == (Job.Status.FAILED, str(sources.NoSuchSource()))
    assert not Sample.objects.exists()


def test_share_that_is_not_mounted_makes_the_job_wait(project: Project, shared: Path, as_owner: Client) -> None:
    upload = sources.ingest_source(project, str(shared), "colours", by=None)
    shared.rename(shared.with_name("elsewhere"))
    run_job(upload.job_id)  # type: ignore[arg-type]
    job = Job.objects.get(pk=upload.job_id)
    assert (job.is_open, job.waits_for) == (True, "the file storage")
    as_owner.raise_request_exception = False
    assert as_owner.get(reverse("sources", args=[project.slug]), {"source": str(shared)}).status_code == 503


def test_nothing_is_offered_where_nothing_is_allowed(project: Project, as_owner: Client) -> None:
    assert "From this server" not in as_owner.get(project.get_absolute_url()).content.decode()
    address = reverse("sources", args=[project.slug])
    assert "has not allowed any folder" in as_owner.get(address).content.decode()
    assert as_owner.get(address, {"source": "/etc"}).status_code == 404


def test_api_lists_plans_and_brings_in(project: Project, shared: Path, as_owner: Client) -> None:
    def post(**sent: object) -> Any:
        return as_owner.post(
            f"/api/v1/projects/{project.slug}/uploads/from-source", sent, content_type="application/json"
        )

    assert as_owner.get("/api/v1/sources").json() == [str(shared)]
    plan = post(source=str(shared), path="colours", dry_run=True)
    assert (plan.status_code, plan.json()["classes"]) == (200, {"blue": 3, "red": 3})
    assert not project.uploads.exists()
    queued = post(source=str(shared), path="colours", layout="last")
    assert queued.status_code == 202
    run_job(queued.json()["job"])
    assert counts(project) == {"red": 3, "blue": 3}
    assert post(source="/etc", path="").status_code == 404
    assert post(source=str(shared), path="colours", layout="nonsense").status_code == 422
