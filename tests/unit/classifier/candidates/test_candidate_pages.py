"""What pages and API show of a candidate, and what the quality gate lets it become."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier.models import ModelVersion, Project, Sample
from classifier.selectors import live_version
from classifier.services import candidate_queue, labelling, samples
from classifier.services.accounts import create_api_key
from classifier.services.candidates import find_state
from classifier.services.project_settings import SettingsRefused, change_settings
from tests.datasets import coloured_pictures
from tests.unit.classifier.candidates.conftest import candidate_of, train, work
from tests.unit.classifier.conftest import add_pictures
from worker.run import run_fair_job

pytestmark = pytest.mark.django_db(transaction=True)  # what is queued when a transaction commits


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
        patch.setattr("worker.training.pipeline.train", fail)
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
