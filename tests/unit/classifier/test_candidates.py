"""Projects that are always up to date: what is trained after changes, shown, kept and thrown away."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.candidate_words import describe_figures
from classifier.jobs import lifecycle, sending
from classifier.jobs.fairness import claim_fairly
from classifier.jobs.kinds import CANDIDATE, EMBED, GET_READY, TRAIN
from classifier.models import Candidate, DatasetVersion, Job, ModelVersion, Project, Sample
from classifier.selectors import live_version
from classifier.services import candidate_queue, changes, labelling, samples
from classifier.services.accounts import create_api_key
from classifier.services.candidates import CandidateOutdated, find_state, find_suggesting, keep_candidate
from classifier.services.classes import rename_class
from classifier.services.file_checks import check_rows, list_files, list_named_files
from classifier.services.project_settings import SettingsRefused, change_settings
from classifier.services.repairs import repair
from ml.training.artifacts import ArtifactCorrupt
from ml.training.config import TrainConfig
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures
from worker.run import run_fair_job, run_job

pytestmark = pytest.mark.django_db(transaction=True)  # what is queued when a transaction commits


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


def test_nothing_is_trained_where_nobody_asked_for_it(project: Project) -> None:
    add_pictures(project, coloured_pictures(6))
    assert not Job.objects.filter(kind=CANDIDATE.name).exists()
    assert find_state(project) is None


def test_candidate_is_trained_from_two_pictures_a_class_on(project: Project) -> None:
    project = change_settings(project, up_to_date=True)
    pictures = coloured_pictures(2)
    first, *rest = pictures.items()
    add_pictures(project, dict([first]))
    work()
    assert "two classes" in candidate_of(project).reason
    few = {name: data for name, data in rest if name.split("/")[-2] != first[0].split("/")[-2]}
    add_pictures(project, few)
    work()
    assert "has only one picture" in candidate_of(project).reason
    add_pictures(project, pictures)
    work()
    found = candidate_of(project)
    assert found.reason == ""
    assert found.accuracy.by == "cross_validation"
    assert found.accuracy.n == len(pictures)
    assert find_suggesting(project) == found
    assert keep_candidate(project, by=project.owner).number == 1


def test_candidate_decides_and_freezes_nothing(fresh: Project) -> None:
    assert candidate_of(fresh).artifact_digest
    assert not DatasetVersion.objects.exists()
    assert not ModelVersion.objects.exists()
    assert not Sample.objects.exclude(split="").exists()


def test_kept_candidate_is_the_version_that_train_gives(fresh: Project) -> None:
    digest = candidate_of(fresh).artifact_digest
    kept = keep_candidate(fresh, by=fresh.owner)
    assert (kept.number, kept.artifact_digest, kept.job) == (1, digest, None)
    assert live_version(fresh) == kept
    assert train(fresh) == kept  # nothing has changed since
    ModelVersion.objects.filter(pk=kept.pk).update(fingerprint="another")
    assert train(fresh).artifact_digest == digest


@pytest.mark.parametrize("each", [2, 3, 6, 40])
def test_kept_candidate_is_what_train_gives_at_any_size(project: Project, each: int) -> None:
    add_pictures(project, coloured_pictures(each))
    project = change_settings(project, up_to_date=True)
    work()
    found = candidate_of(project)
    assert not found.reason
    trained = train(project)
    assert (trained.artifact_digest, trained.fingerprint) == (found.artifact_digest, found.fingerprint)
    state = find_state(project)
    assert state is not None
    assert state.version == trained.number  # and it is said that there is nothing to keep
    assert not state.can_be_kept


def test_given_splits_are_respected(project: Project) -> None:
    add_pictures(project, coloured_pictures(6))
    ids = list(project.samples.order_by("pk").values_list("pk", flat=True))
    samples.set_split(project, Sample.objects.filter(pk__in=ids[::3]), "test", by=project.owner)
    project = change_settings(project, up_to_date=True)
    work()
    found = candidate_of(project)
    trained = train(project)
    assert found.artifact_digest == trained.artifact_digest
    assert found.accuracy.by == "test"


def test_label_makes_another_candidate_and_deletes_the_files_of_the_last(fresh: Project) -> None:
    before = candidate_of(fresh)
    assert candidate_files(fresh) == [before.artifact_digest]
    train(fresh)
    assert candidate_of(fresh).same_as == 1  # it is a version now
    assert candidate_files(fresh) == []
    red = fresh.classes.order_by("pk").first()
    moved = fresh.samples.exclude(image_class=red).order_by("pk")
    assert red is not None
    act = samples.move_samples(fresh, Sample.objects.filter(pk=moved[0].pk), to=red, by=fresh.owner)
    work()
    found = candidate_of(fresh)
    assert found.artifact_digest not in ("", before.artifact_digest)
    assert (found.since, found.labels, found.removed) == (1, 1, 0)
    assert candidate_files(fresh) == [found.artifact_digest]
    changes.undo(act, by=fresh.owner)
    work()
    assert candidate_of(fresh).same_as == 1  # which is there already
    assert candidate_files(fresh) == []


def test_deleted_pictures_are_counted_and_taken_back(fresh: Project) -> None:
    train(fresh)
    gone = fresh.samples.order_by("pk").first()
    assert gone is not None
    samples.delete_samples(fresh, Sample.objects.filter(pk=gone.pk), by=fresh.owner)
    work()
    found = candidate_of(fresh)
    assert (found.labels, found.removed) == (0, 1)
    state = find_state(fresh)
    assert state is not None
    assert describe_figures(state).endswith("without a picture")


def test_changes_coalesce_and_wait_for_a_rest(fresh: Project, end_of_rest: None) -> None:
    Job.objects.filter(kind=CANDIDATE.name).delete()
    for _ in range(5):
        candidate_queue.train_soon(fresh)
    (job,) = candidate_queue.list_open(fresh)
    assert job.not_before is not None
    left = (job.not_before - timezone.now()).total_seconds()
    assert 3.5 < left < 6
    assert claim_fairly(job.pk) is None
    Job.objects.filter(pk=job.pk).update(not_before=timezone.now() + timedelta(seconds=1))
    candidate_queue.train_soon(fresh)
    (again,) = candidate_queue.list_open(fresh)
    assert again.pk == job.pk
    assert again.not_before is not None
    assert again.not_before > timezone.now() + timedelta(seconds=3)  # the rest begins anew


def test_worker_is_told_when_the_rest_is_over(
    fresh: Project, end_of_rest: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float | None] = []
    monkeypatch.setattr(sending, "_send", lambda jobs: told.extend(map(sending._seconds_until_due, jobs)))
    Job.objects.filter(kind=CANDIDATE.name).delete()
    candidate_queue.train_soon(fresh)
    assert len(told) == 1
    assert told[0] is not None
    assert 3.5 < told[0] < 6.2
    (job,) = candidate_queue.list_open(fresh)
    job.not_before = lifecycle.NEVER
    assert sending._seconds_until_due(job) is None


def test_superseded_run_stops_and_writes_nothing(fresh: Project) -> None:
    before = candidate_of(fresh)
    candidate_queue.train_soon(fresh)
    (job,) = candidate_queue.list_open(fresh)
    running = lifecycle.claim_job(job.pk)
    assert running is not None
    candidate_queue.train_soon(fresh)
    assert [one.pk for one in candidate_queue.list_open(fresh)] != [job.pk]
    from worker.candidate import train_candidate

    with pytest.raises(lifecycle.LeaseLost):
        train_candidate(running)
    assert candidate_of(fresh).pk == before.pk
    assert Job.objects.filter(kind=CANDIDATE.name, status__in=Job.OPEN).count() == 1


def test_it_gives_way_to_all_that_somebody_waits_for(fresh: Project) -> None:
    candidate_queue.train_soon(fresh)
    (job,) = candidate_queue.list_open(fresh)
    parent = lifecycle.claim_job(sending.queue_job(TRAIN, project=fresh, by=fresh.owner).pk)
    assert parent is not None
    (part,) = sending.queue_children(parent, EMBED, configs=[{"units": 1}])
    taken = claim_fairly(job.pk)
    assert taken is not None
    assert taken.pk == part.pk


def test_nobody_sees_it_among_the_jobs(fresh: Project, as_owner: Client) -> None:
    assert as_owner.get(f"/api/v1/projects/{fresh.slug}/jobs").json() == []


def test_new_pictures_are_embedded_first(fresh: Project) -> None:
    before = candidate_of(fresh).artifact_digest
    add_pictures(fresh, coloured_pictures(3, seed=1000))
    run_fair_job(candidate_queue.list_open(fresh)[0].pk)
    assert Job.objects.filter(kind=GET_READY.name, status__in=Job.OPEN).exists()
    work()
    assert candidate_of(fresh).artifact_digest != before
    assert candidate_of(fresh).accuracy.n == fresh.samples.count()


def test_keeping_is_refused_once_pictures_have_changed(fresh: Project, as_owner: Client) -> None:
    gone = fresh.samples.order_by("pk").first()
    assert gone is not None
    samples.delete_samples(fresh, Sample.objects.filter(pk=gone.pk), by=fresh.owner)
    with pytest.raises(CandidateOutdated):
        keep_candidate(fresh, by=fresh.owner)
    assert not Sample.objects.exclude(split="").exists()  # nothing was decided either
    page = as_owner.post(reverse("candidate_keep", args=[fresh.slug]), follow=True).content.decode()
    assert "have just changed" in page
    assert not ModelVersion.objects.exists()


def test_keeping_is_refused_once_a_class_has_another_name(fresh: Project) -> None:
    """The names are in the artifact, so it would not be what Train gives."""
    red = fresh.classes.order_by("pk")[0]
    rename_class(red, "crimson", by=fresh.owner)
    with pytest.raises(CandidateOutdated):
        keep_candidate(fresh, by=fresh.owner)
    work()
    assert keep_candidate(fresh, by=fresh.owner).artifact_digest == train(fresh).artifact_digest


def test_damaged_files_are_not_published(fresh: Project) -> None:
    folder = f"candidates/{fresh.pk}/{candidate_of(fresh).artifact_digest}"
    default_storage.delete(f"{folder}/head.npz")
    with pytest.raises(ArtifactCorrupt):
        keep_candidate(fresh, by=fresh.owner)
    assert not ModelVersion.objects.exists()


def test_files_are_found_named_and_trained_again_if_they_are_lost(fresh: Project) -> None:
    digest = candidate_of(fresh).artifact_digest
    paths = {path for path in list_named_files() if path.startswith("candidates/")}
    assert paths == set(list_files("candidates"))  # none of them is taken for an orphan
    assert not [problem for problem in check_rows() if problem]
    default_storage.delete(min(paths))
    (problem,) = [problem for problem in check_rows() if problem]
    assert problem.kind == "missing"
    assert "trained again" in repair(problem)
    work()
    assert candidate_of(fresh).artifact_digest == digest
    assert set(list_files("candidates")) == paths


def test_switching_off_leaves_nothing(fresh: Project) -> None:
    candidate_queue.train_soon(fresh)
    project = change_settings(fresh, up_to_date=False)
    assert not Candidate.objects.exists()
    assert candidate_files(fresh) == []
    assert candidate_queue.list_open(project) == []
    assert find_state(project) is None


def test_candidate_that_passes_the_gate_becomes_a_live_version(project: Project) -> None:
    add_pictures(project, coloured_pictures(6))
    project = change_settings(project, up_to_date=True, least_accuracy=50, keeps_passing=True)
    work()
    version = live_version(project)
    assert version is not None
    assert version.artifact_digest == candidate_of(project).artifact_digest


def test_candidate_that_falls_short_says_why(project: Project, as_owner: Client) -> None:
    add_pictures(project, coloured_pictures(6))
    train(project)
    blue = project.classes.order_by("-pk")[0]
    project = change_settings(project, up_to_date=True, least_accuracy=100, not_worse=True, keeps_passing=True)
    mixed = project.samples.exclude(image_class=blue).order_by("pk").values_list("pk", flat=True)
    samples.move_samples(project, Sample.objects.filter(pk__in=list(mixed)[::2]), to=blue, by=project.owner)
    work()
    assert ModelVersion.objects.filter(project=project).count() == 1
    (failure,) = candidate_of(project).failures
    assert failure.startswith("Accuracy of at least 100 %")
    page = as_owner.get(project.get_absolute_url()).content.decode()
    assert "It is not kept by itself" in page


def test_nothing_is_kept_by_itself_without_a_condition(project: Project, as_owner: Client) -> None:
    for values in ({"keeps_passing": True}, {"keeps_passing": True, "up_to_date": True}):
        with pytest.raises(SettingsRefused):
            change_settings(project, **values)
    page = as_owner.post(reverse("project_settings", args=[project.slug]), {"keeps_passing": "on"})
    assert "only where the project is always up to date" in page.content.decode()
    project.refresh_from_db()
    assert not project.keeps_passing


def test_pages_show_it_and_ask_for_news_alone(fresh: Project, as_owner: Client) -> None:
    for name in ("project", "label"):
        page = " ".join(as_owner.get(reverse(name, args=[fresh.slug])).content.decode().split())
        assert "of new pictures would be recognised now" in page
        assert "is likely" in page
        assert reverse("candidate_keep", args=[fresh.slug]) in page
    state = find_state(fresh)
    assert state is not None
    address = f"{reverse('candidate', args=[fresh.slug])}?seen={state.token}"
    assert as_owner.get(address).status_code == 204
    candidate_queue.train_soon(fresh)
    part = as_owner.get(address)
    assert part.status_code == 200
    assert "the next figure comes" in part.content.decode()
    assert reverse("candidate_keep", args=[fresh.slug]) not in part.content.decode()


def test_page_compares_with_the_live_version(fresh: Project, as_owner: Client) -> None:
    train(fresh)
    red, blue = fresh.classes.order_by("pk")[0], fresh.classes.order_by("-pk")[0]
    moved = list(fresh.samples.filter(image_class=blue).values_list("pk", flat=True))[:2]
    samples.move_samples(fresh, Sample.objects.filter(pk__in=moved), to=red, by=fresh.owner)
    work()
    page = " ".join(as_owner.get(fresh.get_absolute_url()).content.decode().split())
    assert "→ about" in page
    assert "with your last 2 labels" in page
    as_owner.post(reverse("candidate_keep", args=[fresh.slug]))
    assert "Version 2 knows all your labels." in as_owner.get(fresh.get_absolute_url()).content.decode()
    assert live_version(fresh) == ModelVersion.objects.get(number=1)  # to go live is another step


def test_failure_is_told_and_the_next_change_tries_again(
    fresh: Project, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("worker.candidate.pipeline.train", fail)
        candidate_queue.train_soon(fresh)
        run_fair_job(candidate_queue.list_open(fresh)[0].pk)
    assert "the next change tries it again" in as_owner.get(fresh.get_absolute_url()).content.decode()
    candidate_queue.train_soon(fresh)
    work()
    state = find_state(fresh)
    assert state is not None
    assert not state.has_failed


def test_suggestions_come_from_the_candidate(fresh: Project, as_owner: Client) -> None:
    chosen = fresh.samples.order_by("pk").first()
    assert chosen is not None
    samples.unlabel_samples(fresh, Sample.objects.filter(pk=chosen.pk), by=fresh.owner)
    work()
    said = labelling.suggest(fresh, [chosen.pk])
    assert set(dict(said[chosen.pk])) == set(fresh.classes.values_list("pk", flat=True))
    page = " ".join(as_owner.get(reverse("label", args=[fresh.slug])).content.decode().split())
    assert "data-suggest" in page
    assert "What your labels so far suggest is chosen already" in page
    assert as_owner.get(reverse("label_sure", args=[fresh.slug])).status_code == 200


def test_api_tells_and_keeps(fresh: Project, owner: User, client: Client) -> None:
    headers = {"Authorization": f"Bearer {create_api_key(owner, 'test')[1]}"}
    base = f"/api/v1/projects/{fresh.slug}"
    found = client.get(f"{base}/candidate", headers=headers).json()
    assert found["up_to_date"] is True
    assert found["accuracy"]["n"] == 18
    assert found["can_be_kept"] is True
    kept = client.post(f"{base}/candidate/keep", headers=headers)
    assert kept.status_code == 201
    assert kept.json()["artifact_digest"] == found["artifact_digest"]
    assert client.get(f"{base}/candidate", headers=headers).json()["version"] == 1
    client.patch(f"{base}/settings", {"up_to_date": False}, content_type="application/json", headers=headers)
    assert client.get(f"{base}/candidate", headers=headers).json()["up_to_date"] is False
    assert client.post(f"{base}/candidate/keep", headers=headers).status_code == 409
