"""Pictures are checked by a job; what people say to the findings is kept, and what no longer holds vanishes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import EARLY_AUDIT
from classifier.models import Audit, Embedding, Finding, Image, ImageMeasures, Job, Project, SampleAudit
from classifier.sample_filters import SampleFilter
from classifier.sample_pages import neighbours, page_after
from classifier.services import audit_files, audit_results, audits, changes, evaluations, samples
from classifier.services.embeddings import store_embeddings
from classifier.services.measures import store_measures
from ml.audit.kinds import KINDS
from ml.audit.measures import measure_picture
from ml.training.config import TrainConfig
from tests.datasets import COLOURS, coloured_pictures
from tests.pictures import encode, make_jpeg
from tests.unit.classifier.conftest import add_pictures
from tests.unit.classifier.test_readiness import run_all
from worker import measure
from worker.run import run_job

pytestmark = pytest.mark.django_db(transaction=True)  # what is queued when a transaction commits


@pytest.fixture(autouse=True)
def _early(settings: Any, backbones: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.run.run_in_background", lambda work, job: work(job))
    settings.ML = replace(settings.ML, backbones_dir=backbones)
    settings.EMBED_EARLY = False


def check(project: Project) -> Job:
    """Check the pictures as a person asks for it, and return the job that has ended."""
    job = audits.request_audit(project, by=project.owner)
    run_all()
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, (job.error, job.error_detail)
    return job


@pytest.fixture
def swapped(project: Project) -> Project:
    """Give a project with a red picture among the blue ones, and one without a class."""
    pictures = coloured_pictures(12)
    pictures["blue/wrong.jpg"] = make_jpeg(777, colour=COLOURS["red"])
    pictures["green/free.jpg"] = make_jpeg(778, colour=COLOURS["green"])
    add_pictures(project, pictures)
    project.samples.filter(file_name__contains="free").update(image_class=None)
    return project


def find(project: Project, kind: str, name: str = "") -> Finding:
    return audits.list_findings(project, kind).get(sample__file_name__contains=name)


def suspects(project: Project) -> list[str]:
    found = audits.list_findings(project, "wrong_label")
    return [name.rsplit("/", 1)[-1] for name in found.values_list("sample__file_name", flat=True)]


def test_check_keeps_what_its_answers_to_all_pictures_say(swapped: Project) -> None:
    check(swapped)
    found = evaluations.evaluate_all(swapped)
    assert found is not None
    assert found.summary.n == 37  # without the one that has no class
    blue, red = found.names.index("blue"), found.names.index("red")
    assert found.summary.confusions == [(blue, red, 1)]
    assert len(found.curve(red).called) == 101
    swapped.samples.exclude(image_class__name="red").update(image_class=None)
    check(swapped)
    assert evaluations.evaluate_all(swapped) is None  # there is nothing to choose from


def test_wrong_label_is_found_with_what_it_is_taken_for(swapped: Project) -> None:
    job = check(swapped)
    assert suspects(swapped) == ["wrong.jpg"]
    finding = find(swapped, "wrong_label")
    assert swapped.classes.get(pk=finding.details["predicted"]).name == "red"
    assert finding.details["confidence"] > finding.details["given_confidence"]
    assert job.result["findings"]["wrong_label"] == 1


def test_every_sample_gets_its_numbers_also_without_a_class(swapped: Project) -> None:
    check(swapped)
    assert SampleAudit.objects.filter(project=swapped).count() == swapped.samples.count()
    free = SampleAudit.objects.get(sample__file_name__contains="free")
    assert free.predicted_class is not None
    assert free.predicted_class.name == "green"
    assert free.confidence is not None
    assert 0 < free.confidence <= 1


def test_file_has_a_row_for_each_sample(swapped: Project) -> None:
    check(swapped)
    arrays = audit_files.load_audit_file(Audit.objects.get(project=swapped))
    assert arrays.samples.tolist() == sorted(swapped.samples.values_list("pk", flat=True))
    assert arrays.positions.shape == (len(arrays.samples), 2)
    np.testing.assert_allclose(np.linalg.norm(arrays.vectors.astype(np.float32), axis=1), 1, atol=0.01)


def test_file_of_the_audit_before_is_deleted(swapped: Project) -> None:
    check(swapped)
    old = Audit.objects.get(project=swapped).path
    add_pictures(swapped, coloured_pictures(2, seed=5000))
    check(swapped)
    new = Audit.objects.get(project=swapped).path
    assert new != old
    assert default_storage.exists(new)
    assert not default_storage.exists(old)


def test_damaged_file_is_told_of_and_mended(swapped: Project, capsys: pytest.CaptureFixture[str]) -> None:
    check(swapped)
    audit = Audit.objects.get(project=swapped)
    default_storage.delete(audit.path)
    with pytest.raises(audit_files.AuditUnreadable):
        audit_files.load_audit_file(audit)
    with pytest.raises(SystemExit):
        call_command("check_files", "--repair")
    assert not Audit.objects.filter(project=swapped).exists()
    check(swapped)
    audit_files.load_audit_file(Audit.objects.get(project=swapped))


def test_what_was_dismissed_stays_dismissed(swapped: Project) -> None:
    check(swapped)
    assert audits.dismiss(swapped, "wrong_label", by=swapped.owner) == 1
    check(swapped)
    assert suspects(swapped) == []
    (summary,) = [one for one in audits.summarise(swapped) if one.kind.name == "wrong_label"]
    assert (summary.count, summary.dismissed) == (0, 1)
    assert audits.reopen(swapped, "wrong_label") == 1
    assert suspects(swapped) == ["wrong.jpg"]


def test_dismissed_by_id_leaves_the_others(project: Project) -> None:
    tiny = {f"red/{number}.jpg": make_jpeg(number, size=(9, 9)) for number in range(3)}
    add_pictures(project, tiny | coloured_pictures(6, names=("green", "blue")))
    check(project)
    first = audits.list_findings(project, "tiny")[0]
    before = audits.list_findings(project, "tiny").count()
    assert audits.dismiss(project, "tiny", by=project.owner, ids=[first.pk, 10**9]) == 1
    assert audits.list_findings(project, "tiny").count() == before - 1


def test_suspicion_vanishes_when_the_class_is_changed(swapped: Project) -> None:
    check(swapped)
    finding = find(swapped, "wrong_label")
    red = swapped.classes.get(name="red")
    assert finding.sample_id is not None
    act = samples.move_samples(swapped, samples.pick(swapped, [finding.sample_id]), to=red, by=None)
    assert suspects(swapped) == []
    back, _ = changes.undo(act, by=None)
    assert suspects(swapped) == ["wrong.jpg"]
    changes.undo(back, by=None)
    check(swapped)
    assert suspects(swapped) == []


def test_contradiction_is_forgotten_for_all_copies_of_the_photo(swapped: Project) -> None:
    pictures = list(swapped.samples.exclude(image_class=None)[:4])
    for place, sample in enumerate(pictures):
        details = {"photo": f"same photo {place // 2}"}
        made = {"sample": sample, "image_class": sample.image_class, "details": details}
        Finding.objects.create(project=swapped, kind="contradiction", **made)
    samples.move_samples(
        swapped,
        samples.pick(swapped, [pictures[0].pk]),
        to=swapped.classes.exclude(pk=pictures[0].image_class_id)[0],
        by=None,
    )
    assert {one.sample_id for one in Finding.objects.all()} == {pictures[2].pk, pictures[3].pk}


def test_label_that_was_right_may_be_doubted_in_another_class(swapped: Project) -> None:
    check(swapped)
    finding = find(swapped, "wrong_label")
    audits.dismiss(swapped, "wrong_label", by=swapped.owner)
    assert finding.sample_id is not None
    chosen = samples.pick(swapped, [finding.sample_id])
    samples.move_samples(swapped, chosen, to=swapped.classes.get(name="green"), by=None)
    check(swapped)
    assert suspects(swapped) == ["wrong.jpg"]


def test_findings_of_pictures_in_the_trash_are_left_out(swapped: Project) -> None:
    check(swapped)
    finding = find(swapped, "wrong_label")
    assert finding.sample_id is not None
    samples.delete_samples(swapped, samples.pick(swapped, [finding.sample_id]), by=None)
    assert suspects(swapped) == []
    samples.purge_samples(swapped)
    check(swapped)


def test_same_photo_in_two_classes_and_what_shows_nothing(project: Project) -> None:
    from PIL import Image

    from tests.pictures import photo_like_jpeg

    photo = photo_like_jpeg(5)
    files = coloured_pictures(6) | {"red/photo.jpg": photo, "blue/photo.jpg": photo + b"\0"}
    files["red/plain.png"] = encode(Image.new("RGB", (300, 300), (90, 90, 90)), "PNG")
    files["red/plain.jpg"] = encode(Image.new("RGB", (300, 300), (90, 90, 90)), "PNG", optimize=True, compress_level=1)
    add_pictures(project, files)
    check(project)
    kinds = {one.kind.name: one.count for one in audits.summarise(project)}
    assert kinds["blank"] >= 2
    assert kinds["identical"] >= 2
    assert {"red/plain.png", "red/plain.jpg"} <= set(
        audits.list_findings(project, "blank").values_list("sample__file_name", flat=True)
    )


def test_pictures_are_measured_as_they_are_embedded_and_old_ones_by_the_audit(swapped: Project) -> None:
    check(swapped)
    assert ImageMeasures.objects.count() == swapped.samples.count()
    ImageMeasures.objects.all().delete()
    lost = swapped.samples.select_related("image")[0].image
    default_storage.delete(lost.path)
    check(swapped)
    assert ImageMeasures.objects.count() == swapped.samples.count() - 1


def test_what_is_computed_of_a_picture_that_was_deleted_meanwhile_is_left_out(swapped: Project) -> None:
    gone, kept = Image.objects.order_by("pk")[:2]
    ids, measures = (gone.pk, kept.pk), measure_picture(np.zeros((9, 9, 3), np.uint8), b"")
    samples.purge_pictures([gone.sha256])
    store_embeddings([gone, kept], np.zeros((2, 4), np.float32), "key")
    store_measures((pk, measures) for pk in ids)
    assert Embedding.objects.filter(key="key").values_list("image_id", flat=True).get() == kept.pk
    assert list(ImageMeasures.objects.filter(image__in=ids).values_list("image_id", flat=True)) == [kept.pk]


def test_what_another_backbone_has_met_is_not_measured_again(swapped: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    check(swapped)
    first = set(ImageMeasures.objects.order_by("pk").values_list("pk", flat=True)[:2])
    Embedding.objects.all().delete()
    ImageMeasures.objects.exclude(pk__in=first).delete()
    measured: list[bytes] = []
    monkeypatch.setattr(
        measure, "measure_picture", lambda pixels, data: measured.append(data) or measure_picture(pixels, data)
    )
    check(swapped)
    assert len(measured) == swapped.samples.count() - len(first)
    assert ImageMeasures.objects.count() == swapped.samples.count()


@pytest.mark.parametrize(
    "pictures", [{}, {"red/1.jpg": make_jpeg(1)}, {"red/1.jpg": make_jpeg(1), "blue/1.jpg": make_jpeg(2)}]
)
def test_hardly_any_pictures(project: Project, pictures: dict[str, bytes]) -> None:
    add_pictures(project, pictures)
    check(project)
    assert Audit.objects.get(project=project).samples == len(pictures)


def test_second_press_finds_the_job_of_the_first(swapped: Project) -> None:
    first, second = (audits.request_audit(swapped, by=swapped.owner) for _ in range(2))
    assert first == second


def test_backbone_that_only_a_training_can_run_is_said_so(swapped: Project) -> None:
    config = TrainConfig(backbone="resnet50").as_dict()
    lifecycle.cancel_job(sending.queue_job(lifecycle.KINDS["train"], project=swapped, by=swapped.owner, config=config))
    job = audits.request_audit(swapped, by=swapped.owner)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert "Train once" in job.error


def test_pictures_are_checked_by_themselves_once_they_are_embedded(project: Project, settings: Any) -> None:
    settings.EMBED_EARLY = True
    add_pictures(project, coloured_pictures(6))
    run_all()
    assert Audit.objects.get(project=project).samples == 18
    last = Job.objects.get(kind=EARLY_AUDIT.name)
    assert last.status == Job.Status.SUCCEEDED, last.error_detail
    audits.audit_soon(project)
    assert Job.objects.get(kind=EARLY_AUDIT.name) == last  # nothing has changed


def test_press_takes_the_place_of_the_background(swapped: Project, settings: Any) -> None:
    settings.EMBED_EARLY = True
    audits.audit_soon(swapped)
    audits.request_audit(swapped, by=swapped.owner)
    assert Job.objects.get(kind=EARLY_AUDIT.name).status == Job.Status.CANCELLED


def test_every_kind_that_is_found_has_words(swapped: Project) -> None:
    check(swapped)
    assert set(Finding.objects.values_list("kind", flat=True)) <= set(KINDS)


@pytest.mark.services
def test_very_many_contradictions_are_forgotten_in_few_statements(
    swapped: Project, django_assert_max_num_queries: Any
) -> None:
    rows = list(swapped.samples.order_by("pk"))
    kept, moved = rows[0], rows[1:]
    for number, sample in enumerate(rows):
        details = {"photo": f"{number:064x}"}
        Finding.objects.create(project=swapped, kind="contradiction", sample=sample, details=details)
    with django_assert_max_num_queries(4):
        audits.forget_contradictions([sample.pk for sample in moved])
    assert list(Finding.objects.filter(kind="contradiction").values_list("sample", flat=True)) == [kept.pk]


def test_pictures_that_look_alike_are_found_in_the_grid(swapped: Project, as_owner: Client) -> None:
    check(swapped)
    first = swapped.samples.filter(image_class__name="red")[0]
    wanted = SampleFilter(like=first.pk)
    alike, cursor = page_after(swapped, wanted, "", 4)
    rest, end = page_after(swapped, wanted, cursor, 500)
    assert (alike[0], end) == (first, "")
    assert {sample.pk for sample in alike + rest} == set(swapped.samples.values_list("pk", flat=True))
    assert sum(sample.file_name.startswith("red") for sample in alike) >= 3
    assert neighbours(swapped, wanted, alike[1]) == (alike[0].pk, alike[2].pk)
    assert neighbours(swapped, wanted, (alike + rest)[-1])[1] is None
    page = as_owner.get(reverse("picture_more", args=[swapped.slug, first.pk])).content.decode()
    assert page.count("<img") == 8
    assert f"like={first.pk}" in page
    Audit.objects.all().delete()
    assert page_after(swapped, wanted, "", 4) == ([], "")
    assert "<img" not in as_owner.get(reverse("picture_more", args=[swapped.slug, first.pk])).content.decode()


def test_what_is_dismissed_while_an_audit_writes_stays_dismissed(swapped: Project) -> None:
    check(swapped)
    old = find(swapped, "wrong_label")

    def found() -> Iterator[Finding]:
        audits.dismiss(swapped, "wrong_label", by=swapped.owner)  # after the known ones have been read
        yield Finding(
            project=swapped, kind=old.kind, sample=old.sample, image_class=old.image_class, score=old.score + 1
        )

    audit_results.write_findings(swapped, found())
    old.refresh_from_db()
    assert old.dismissed_at is not None
