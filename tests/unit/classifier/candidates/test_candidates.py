"""What is trained of a project that is always up to date, and kept as a version."""

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from classifier.candidate_words import describe_figures
from classifier.models import DatasetVersion, ModelVersion, Project, Sample
from classifier.selectors import live_version
from classifier.services import changes, samples
from classifier.services.candidates import CandidateOutdated, find_state, find_suggesting, keep_candidate
from classifier.services.classes import rename_class
from classifier.services.file_checks import check_rows, list_files, list_named_files
from classifier.services.project_settings import change_settings
from classifier.services.repairs import repair
from ml.training.artifacts import ArtifactCorrupt
from tests.datasets import coloured_pictures
from tests.unit.classifier.candidates.conftest import candidate_files, candidate_of, train, work
from tests.unit.classifier.conftest import add_pictures

pytestmark = pytest.mark.django_db(transaction=True)  # what is queued when a transaction commits


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
