"""A job kind is data: its queue, its stages, its result and its part of the page."""

import pkgutil

import pytest
from django.template.loader import get_template
from django.test import Client
from django.urls import reverse

from classifier.jobs import kinds, lifecycle, reporting, sending
from classifier.jobs.kinds import EMBED, EXPORT, KINDS, TRAIN
from classifier.jobs.progress import job_progress
from classifier.jobs.reporting import UnknownStage
from classifier.models import Job, Project
from poetsweb import celery


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_kind_is_complete(kind: kinds.JobKind) -> None:
    assert kind.title
    assert callable(pkgutil.resolve_name(kind.run))
    assert len({stage.name for stage in kind.stages}) == len(kind.stages)
    assert all(stage.seconds > 0 and stage.title for stage in kind.stages)
    assert all(bool(stage.rate) == bool(stage.unit) for stage in kind.stages)
    if kind.template:
        assert get_template(kind.template)


def test_queues_of_the_kinds_are_those_of_celery() -> None:
    assert {kind.queue for kind in KINDS.values()} == set(celery.QUEUES) == set(kinds.QUEUES)


def test_stage_that_the_kind_does_not_have_is_refused(project: Project) -> None:
    job = lifecycle.claim_job(sending.queue_job(TRAIN, project=project, by=project.owner).pk)
    assert job is not None
    with pytest.raises(UnknownStage, match="trian"):
        reporting.enter_stage(job, "trian")
    job.refresh_from_db()
    assert job.stage == ""


def test_bar_never_goes_back_over_the_stages(project: Project) -> None:
    for kind in KINDS.values():
        job = lifecycle.claim_job(sending.queue_job(kind, project=project, by=project.owner).pk)
        assert job is not None
        fractions = []
        for stage in kind.stages_of(job.config):
            reporting.enter_stage(job, stage.name, total=2)
            fractions.append(job_progress(job).fraction)
            reporting.report(job, done=1)
            fractions.append(job_progress(job).fraction)
        assert fractions == sorted(fractions), kind.name
        assert all(0 <= fraction < 1 for fraction in fractions), kind.name


def test_numbers_count_the_jobs_of_a_project_that_people_see(project: Project, as_owner: Client) -> None:
    first = sending.queue_job(TRAIN, project=project, by=project.owner)
    claimed = lifecycle.claim_job(first.pk)
    assert claimed is not None
    parts = sending.queue_children(claimed, EMBED, configs=[{"images": []}] * 3)
    second = sending.queue_job(EXPORT, project=project, by=project.owner)
    other = Project.objects.create(name="Other", slug="other", owner=project.owner)
    elsewhere = sending.queue_job(TRAIN, project=other, by=project.owner)
    assert (first.number, second.number, elsewhere.number) == (1, 2, 1)
    assert {part.number for part in parts} == {None}
    assert as_owner.get(reverse("job", args=[project.slug, 2])).status_code == 200
    assert as_owner.get(reverse("job", args=[project.slug, 3])).status_code == 404
    assert as_owner.get(f"/api/v1/jobs/{second.pk}").json()["number"] == 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if not kind.background], ids=lambda kind: kind.name)
def test_api_tells_the_result_of_the_kind_alone(kind: kinds.JobKind, project: Project, as_owner: Client) -> None:
    job = sending.queue_job(kind, project=project, by=project.owner)
    Job.objects.filter(pk=job.pk).update(result={"of an older version": 1})
    assert as_owner.get(f"/api/v1/jobs/{job.pk}").json()["result"] == kind.result().model_dump()


def test_api_describes_the_result_of_each_kind(as_owner: Client) -> None:
    described = as_owner.get("/api/v1/openapi.json").json()["components"]["schemas"]
    shapes = {one["$ref"].rpartition("/")[2] for one in described["JobOut"]["properties"]["result"]["anyOf"]}
    assert shapes == {kind.result.__name__ for kind in KINDS.values()}
    assert set(described["TrainResult"]["properties"]) == set(TRAIN.result.model_fields)
