"""Test the queue of pictures without a class, what the live version suggests, and confirming at a glance."""

from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import Change, ImageClass, ModelVersion, Project, Sample, SampleAudit
from classifier.services import changes, classes, embeddings, labelling
from classifier.services.labelling import ORDERS, next_candidates
from classifier.services.samples import label_samples, pick
from ml.backbones.registry import get_backbone
from ml.engines.embeddings import embedding_key
from poetsweb.folders import ML
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures

COUNT = 12


@pytest.fixture
def unlabelled(trained: ModelVersion) -> list[Sample]:
    """Add twelve pictures without a class; the version has seen all but the last two."""
    add_pictures(trained.project, {f"new/{number}.jpg": make_jpeg(900 + number) for number in range(COUNT)})
    found = trained.project.samples.filter(file_name__startswith="new/")
    found.update(image_class=None)
    ImageClass.objects.filter(name="new").delete()
    rows = list(found.order_by("pk").select_related("image"))
    backbone = get_backbone("testing", ML)
    vectors = np.random.default_rng(3).random((COUNT - 2, backbone.features)).astype(np.float32)
    images = [sample.image for sample in rows[:-2]]
    embeddings.store_embeddings(images, vectors, embedding_key(backbone.digest))
    return rows


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, unlabelled: list[Sample], trained: ModelVersion) -> dict[int, Any]:
    """Let the version say something else of each picture: the first is the least certain."""
    first, second, *_ = [pk for pk, _ in trained.dataset_version.classes]
    shares = np.linspace(0.5, 0.99, COUNT - 2)
    answers = {
        sample.image_id: sorted([(first, float(share)), (second, float(1 - share))], key=lambda pair: -pair[1])
        for sample, share in zip(unlabelled, shares, strict=False)
    }
    monkeypatch.setattr(labelling, "ask_version", lambda version, ids: {pk: answers[pk] for pk in ids if pk in answers})
    return answers


def order_of(project: Project, order: str, **rest: Any) -> list[int]:
    return [one.sample.pk for one in next_candidates(project, order, **{"skip": (), "size": 100, **rest})]


def test_orders(unlabelled: list[Sample], said: dict[int, Any], trained: ModelVersion) -> None:
    ids, project = [sample.pk for sample in unlabelled], trained.project
    unseen = [ids[-1], ids[-2]]
    assert order_of(project, "unsure") == ids[:-2] + unseen
    assert order_of(project, "sure") == ids[:-2][::-1] + unseen
    assert order_of(project, "newest") == ids[::-1]
    diverse = order_of(project, "diverse")
    assert (diverse[0], set(diverse), len(diverse)) == (ids[0], set(ids), COUNT)


@pytest.mark.parametrize("order", ORDERS)
def test_queue_leaves_out_what_was_seen_and_what_has_a_class(
    order: str, unlabelled: list[Sample], trained: ModelVersion
) -> None:
    project, ids = trained.project, [sample.pk for sample in unlabelled]
    label_samples(project, pick(project, ids[:3]), to=project.classes.all()[0], by=None)
    found = order_of(project, order, skip=ids[3:5])
    assert set(found) == set(ids[5:])
    assert len(order_of(project, order, size=2)) == 2


def test_queue_without_a_version_is_in_the_order_of_coming(filled: Project) -> None:
    filled.samples.filter(image_class__name="red").update(image_class=None)
    for order in ORDERS:
        found = next_candidates(filled, order, skip=(), size=100)
        assert len(found) == 6
        assert all(one.ranking == [] for one in found)


def test_large_queues_begin_with_what_the_audit_found_uncertain(
    monkeypatch: pytest.MonkeyPatch, unlabelled: list[Sample], trained: ModelVersion
) -> None:
    monkeypatch.setattr(labelling, "POOL", 3)
    for number, sample in enumerate(unlabelled[:2]):
        SampleAudit.objects.create(sample=sample, project=trained.project, uncertainty=number / 10)
    first, second, *_, last = [sample.pk for sample in unlabelled]
    assert set(order_of(trained.project, "unsure")) == {first, second, last}
    assert set(order_of(trained.project, "newest")) == {sample.pk for sample in unlabelled[-3:]}


def test_large_queues_of_sure_ones_begin_with_what_the_audit_found_certain(
    monkeypatch: pytest.MonkeyPatch, unlabelled: list[Sample], said: dict[int, Any], trained: ModelVersion
) -> None:
    monkeypatch.setattr(labelling, "POOL", 3)
    for number, sample in enumerate(unlabelled):
        SampleAudit.objects.create(sample=sample, project=trained.project, uncertainty=1 - number / COUNT)
    assert order_of(trained.project, "unsure") == [sample.pk for sample in unlabelled[:3]]
    assert order_of(trained.project, "sure")[0] == unlabelled[-3].pk  # what the version has not seen comes last
    (candidates,) = labelling.list_sure(trained.project, labelling.POOL).values()
    assert [one.sample.pk for one in candidates] == [unlabelled[-3].pk]


def test_label_is_for_what_has_no_class_and_can_be_undone(unlabelled: list[Sample], trained: ModelVersion) -> None:
    project = trained.project
    other = project.samples.filter(image_class__isnull=False)[0]
    to = project.classes.exclude(pk=other.image_class_id)[0]
    act = label_samples(project, pick(project, [unlabelled[0].pk, other.pk]), to=to, by=None)
    assert act.count == 1
    other.refresh_from_db()
    assert other.image_class != to
    changes.undo(act, by=None)
    unlabelled[0].refresh_from_db()
    assert unlabelled[0].image_class is None


def test_browser_fetches_and_labels(
    unlabelled: list[Sample], said: dict[int, Any], trained: ModelVersion, as_owner: Client, as_stranger: Client
) -> None:
    project = trained.project
    address = reverse("label_queue", args=[project.slug])
    answer = as_owner.post(address, {"order": "unsure", "skip": f"{unlabelled[0].pk},x,"}).json()
    assert answer["left"] == COUNT
    assert [one["id"] for one in answer["pictures"]][:2] == [unlabelled[1].pk, unlabelled[2].pk]
    assert answer["pictures"][0]["suggestions"][0]["class"] == trained.dataset_version.classes[0][0]
    assert as_owner.get(answer["pictures"][0]["image"]).status_code == 200
    assert as_owner.post(address, {"order": "magic"}).status_code == 404
    assert as_stranger.post(address, {"order": "unsure"}).status_code == 404
    page = as_owner.get(reverse("label", args=[project.slug])).content.decode()
    assert 'data-key="1"' in page
    assert "Version 1" not in page  # what it suggests is told in the middle of a sentence
    assert "What version 1 suggests" in page


def test_merged_class_is_suggested_as_what_it_is_now(
    unlabelled: list[Sample], said: dict[int, Any], trained: ModelVersion
) -> None:
    project = trained.project
    first, second, third = (project.classes.get(pk=pk) for pk, _ in trained.dataset_version.classes)
    classes.merge_class(first, into=third, by=None)
    ranking = next_candidates(project, "sure", skip=(), size=1)[0].ranking
    assert ranking == [(third.pk, pytest.approx(0.99)), (second.pk, pytest.approx(0.01))]
    assert labelling.list_sure(project, 9).keys() == {third.pk}
    classes.merge_class(second, into=third, by=None)
    assert labelling.suggest(project, [unlabelled[0].pk]) == {unlabelled[0].pk: [(third.pk, pytest.approx(1))]}
    classes.delete_class(third, by=None, with_pictures=True)
    assert next_candidates(project, "sure", skip=(), size=1)[0].ranking == []


def test_sure_ones_are_confirmed_at_a_glance(
    unlabelled: list[Sample], said: dict[int, Any], trained: ModelVersion, as_owner: Client
) -> None:
    project, sure = trained.project, [pk for pk, ranking in said.items() if ranking[0][1] >= labelling.SURE]
    address = reverse("label_sure", args=[project.slug])
    page = as_owner.get(address).content.decode()
    assert page.count("checked") == len(sure) == 2
    wrong, right = [sample.pk for sample in unlabelled if sample.image_id in sure]
    to = trained.dataset_version.classes[0][0]
    sent = {"sample": [right], "to": to, "next": address}
    told = as_owner.post(reverse("samples_label", args=[project.slug]), sent, follow=True).content.decode()
    assert "1 picture labelled" in told
    assert Sample.objects.get(pk=right).image_class_id == to
    assert Sample.objects.get(pk=wrong).image_class is None
    assert Change.objects.get().kind == Change.Kind.LABEL


def test_history_shows_labels_given_one_by_one_as_one(
    unlabelled: list[Sample], trained: ModelVersion, as_owner: Client
) -> None:
    project = trained.project
    for sample in unlabelled[:3]:
        label_samples(project, pick(project, [sample.pk]), to=project.classes.all()[0], by=project.owner)
    page = as_owner.get(reverse("history", args=[project.slug])).content.decode()
    assert "3 pictures labelled one by one" in page
    assert page.count(">Undo<") == 3


def test_pages_say_what_to_do_where_there_is_nothing(project: Project, as_owner: Client) -> None:
    label, sure = (reverse(name, args=[project.slug]) for name in ("label", "label_sure"))
    assert "Every picture has a class." in as_owner.get(label).content.decode()
    assert "There is no version yet" in " ".join(as_owner.get(sure).content.decode().split())
    add_pictures(project, {"red/1.jpg": make_jpeg(1)})
    project.samples.update(image_class=None)
    project.classes.all().delete()
    assert "This project has no classes yet." in as_owner.get(label).content.decode()
