"""The pages and the API about what may be wrong with pictures, and their map."""

import base64
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import Audit, Finding, Job, Project, Sample
from classifier.selectors import list_classes
from classifier.services import audit_files, audits
from classifier.services.accounts import create_api_key
from ml.audit.kinds import HINT
from tests.unit.classifier.test_audits import _early as early  # noqa: F401 - used by every test
from tests.unit.classifier.test_audits import check, find, suspects, swapped  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def checked(swapped: Project) -> Project:  # noqa: F811
    check(swapped)
    return swapped


def page(client: Client, name: str, project: Project, *more: Any, query: str = "") -> str:
    return client.get(reverse(name, args=[project.slug, *more]) + query).content.decode()


def wrong(project: Project) -> Sample:
    finding = find(project, "wrong_label")
    assert finding.sample is not None
    return finding.sample


def test_page_before_any_check_offers_it(project: Project, filled: Project, as_owner: Client) -> None:
    assert "Check the pictures" in page(as_owner, "check", filled)
    answer = as_owner.post(reverse("check_start", args=[filled.slug]))
    assert answer["Location"] == Job.objects.get(kind="audit").get_absolute_url()
    assert "They are being checked" in page(as_owner, "check", filled)


def test_empty_project_says_what_to_do(project: Project, as_owner: Client) -> None:
    assert "Upload pictures" in page(as_owner, "check", project)


def test_page_tells_what_was_found(checked: Project, as_owner: Client) -> None:
    shown = page(as_owner, "check", checked)
    assert "Perhaps in the wrong class" in shown
    assert wrong(checked).image.sha256 in shown
    assert reverse("check_kind", args=[checked.slug, "wrong_label"]) in shown


@pytest.mark.parametrize("name", ["project", "train"])
def test_other_pages_point_there(name: str, checked: Project, as_owner: Client) -> None:
    assert reverse("check", args=[checked.slug]) in page(as_owner, name, checked)


def test_suspected_label_is_shown_with_what_it_is_taken_for(checked: Project, as_owner: Client) -> None:
    shown = page(as_owner, "check_kind", checked, "wrong_label")
    assert "<span data-class-name>blue</span>" in shown
    assert "Move to red" in shown


def test_moving_comes_back_to_the_findings_and_settles_it(checked: Project, as_owner: Client) -> None:
    sample, red = wrong(checked), checked.classes.get(name="red")
    sent = {"sample": sample.pk, "to": red.pk, "next": reverse("check_kind", args=[checked.slug, "wrong_label"])}
    answer = as_owner.post(reverse("samples_move", args=[checked.slug]), sent)
    assert answer["Location"] == reverse("check_kind", args=[checked.slug, "wrong_label"])
    sample.refresh_from_db()
    assert sample.image_class == red
    assert suspects(checked) == []
    assert "Nothing is left here" in page(as_owner, "check_kind", checked, "wrong_label")


def test_dismissing_one_and_showing_it_again(checked: Project, as_owner: Client) -> None:
    sample = wrong(checked)
    as_owner.post(reverse("check_dismiss", args=[checked.slug, "wrong_label"]), {"sample": sample.pk})
    assert suspects(checked) == []
    assert sample.file_name in page(as_owner, "check_kind", checked, "wrong_label", query="?dismissed")
    as_owner.post(reverse("check_reopen", args=[checked.slug, "wrong_label"]), {"sample": sample.pk})
    assert suspects(checked) == ["wrong.jpg"]


def test_dismissing_without_a_choice_dismisses_nothing(checked: Project, as_owner: Client) -> None:
    as_owner.post(reverse("check_dismiss", args=[checked.slug, "wrong_label"]))
    assert suspects(checked) == ["wrong.jpg"]
    as_owner.post(reverse("check_dismiss", args=[checked.slug, "wrong_label"]), {"every": 1})
    assert suspects(checked) == []


def test_all_that_match_are_dismissed_and_shown_again(checked: Project, as_owner: Client) -> None:
    other = checked.samples.exclude(pk=wrong(checked).pk)[0]
    sent = {"all": "true", "sample": other.pk}  # the cards that are shown, and all that follow on other pages
    as_owner.post(reverse("check_dismiss", args=[checked.slug, "wrong_label"]), sent)
    assert suspects(checked) == []
    as_owner.post(reverse("check_reopen", args=[checked.slug, "wrong_label"]), sent)
    assert suspects(checked) == ["wrong.jpg"]


def test_of_dismissed_findings_no_more_can_be_chosen_than_are_shown(
    checked: Project, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = checked.samples.order_by("pk")[:2]
    for sample in (first, second):
        Finding.objects.get_or_create(project=checked, kind="blurred", sample=sample)
    audits.dismiss(checked, "blurred", by=checked.owner)
    monkeypatch.setattr("classifier.views.check.PAGE", 1)
    assert 'data-total="1"' in page(as_owner, "check_kind", checked, "blurred", query="?dismissed")
    audits.reopen(checked, "blurred")
    assert 'data-total="2"' in page(as_owner, "check_kind", checked, "blurred")


def test_finding_about_a_class_is_shown_and_dismissed(checked: Project, as_owner: Client) -> None:
    red = checked.classes.get(name="red")
    details = {"what": "camera", "value": "Phone <12>", "share": 0.9}
    finding = Finding.objects.create(project=checked, kind="giveaway", image_class=red, details=details)
    assert "Phone &lt;12&gt;" in page(as_owner, "check", checked)
    assert "90" in page(as_owner, "check_kind", checked, "giveaway")
    as_owner.post(reverse("check_dismiss", args=[checked.slug, "giveaway"]), {"finding": finding.pk})
    finding.refresh_from_db()
    assert finding.dismissed_at is not None


@pytest.mark.parametrize("name", ["check_kind", "check_dismiss", "check_reopen"])
def test_unknown_kind_is_not_found(name: str, checked: Project, as_owner: Client) -> None:
    assert as_owner.post(reverse(name, args=[checked.slug, "nonsense"])).status_code == 404


def test_findings_of_another_project_are_not_dismissed(checked: Project, as_stranger: Client, stranger: User) -> None:
    from classifier.services.projects import create_project

    mine = create_project("Mine", by=stranger)
    finding = find(checked, "wrong_label")
    as_stranger.post(reverse("check_dismiss", args=[mine.slug, "wrong_label"]), {"finding": finding.pk})
    assert suspects(checked) == ["wrong.jpg"]


def test_map_has_a_column_for_each_fact(checked: Project, as_owner: Client) -> None:
    points = as_owner.get(reverse("map_points", args=[checked.slug])).json()
    count = checked.samples.count()
    assert {len(points[name]) for name in ("ids", "x", "y", "class", "predicted", "split")} == {count}
    assert points["colours"] == [one.shown_colour for one in list_classes(checked)]
    place = points["ids"].index(wrong(checked).pk)
    assert points["classes"][points["class"][place]] == "blue"
    assert points["classes"][points["predicted"][place]] == "red"
    digests = base64.b64decode(points["sha256"])
    assert digests[32 * place : 32 * place + 32].hex() == wrong(checked).image.sha256


def test_map_leaves_out_what_has_gone_since(checked: Project, as_owner: Client) -> None:
    sample = wrong(checked)
    as_owner.post(reverse("samples_delete", args=[checked.slug]), {"ids": f"{sample.pk},x,"})
    assert sample.pk not in as_owner.get(reverse("map_points", args=[checked.slug])).json()["ids"]


def test_map_before_a_check_and_with_a_lost_file(filled: Project, checked: Project, as_owner: Client) -> None:
    from django.core.files.storage import default_storage

    default_storage.delete(Audit.objects.get(project=checked).path)
    answer = as_owner.get(reverse("map_points", args=[checked.slug]), headers={"Accept": "application/json"})
    assert answer.status_code == 503
    Audit.objects.all().delete()
    assert "Check the pictures" in page(as_owner, "map", checked)
    assert as_owner.get(reverse("map_points", args=[checked.slug])).json()["ids"] == []


def test_api_starts_tells_and_dismisses(swapped: Project, client: Client) -> None:  # noqa: F811
    headers = {"Authorization": f"Bearer {create_api_key(swapped.owner, 'test')[1]}"}
    address = f"/api/v1/projects/{swapped.slug}/audit"
    assert client.get(address, headers=headers).json() == {
        "created_at": None,
        "samples": 0,
        "kinds": [],
        "findings": [],
        "learning_curve": {"points": [], "twice": None},
    }
    started = client.post(address, headers=headers)
    assert started.status_code == 202
    check(swapped)
    told = client.get(f"{address}?kind=wrong_label", headers=headers).json()
    assert told["samples"] == swapped.samples.count()
    (finding,) = told["findings"]
    assert finding["sample"] == wrong(swapped).pk
    assert {one["kind"]: one["count"] for one in told["kinds"]}["wrong_label"] == 1
    body = {"kind": "wrong_label", "ids": [finding["id"]]}
    for undo, left in ((False, []), (True, ["wrong.jpg"])):
        answer = client.post(
            f"{address}/dismiss", {**body, "undo": undo}, content_type="application/json", headers=headers
        )
        assert answer.json() == {"changed": 1}
        assert suspects(swapped) == left
    assert client.get(f"{address}?kind=nonsense", headers=headers).status_code == 422


def test_learning_curve_can_be_taken_away(project: Project, as_owner: Client) -> None:
    address = reverse("learning_curve", args=[project.slug])
    assert as_owner.get(address).content.decode() == "how,pictures,accuracy\r\n"  # before any check
    assert as_owner.get(f"{address}?as=svg").status_code == 404
    points = [{"pictures": 10, "accuracy": 0.6}, {"pictures": 20, "accuracy": 0.7}]
    curve = {"points": points, "twice": {"pictures": 40, "accuracy": 0.75}}
    Audit.objects.create(
        project=project, digest="0" * 64, key="", samples=20, learning_curve=curve, created_at=timezone.now()
    )
    shown = page(as_owner, "check", project)
    assert all(f"{address}?as={form}" in shown for form in ("csv", "json", "svg"))
    assert as_owner.get(address).content.decode().splitlines()[1:] == [
        "measured,10,0.6",
        "measured,20,0.7",
        "expected,40,0.75",
    ]
    assert as_owner.get(f"{address}?as=json").json()["rows"][-1] == {
        "how": "expected",
        "pictures": 40,
        "accuracy": 0.75,
    }
    drawn = as_owner.get(f"{address}?as=svg")
    assert drawn["Content-Type"] == "image/svg+xml"
    assert b"Would more pictures help?" in drawn.content
    assert as_owner.get(f"{address}?as=pdf").status_code == 404


def test_file_of_another_format_is_refused(checked: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_files, "FORMAT_VERSION", 2)
    with pytest.raises(audit_files.AuditUnreadable):
        audit_files.load_audit_file(Audit.objects.get(project=checked))


def test_count_is_that_of_all_kinds_but_hints(checked: Project) -> None:
    Finding.objects.create(project=checked, kind="near_duplicate", sample=checked.samples.all()[0])
    told = {one.kind.name: one.count for one in audits.summarise(checked)}
    hints = sum(one.count for one in audits.summarise(checked) if one.kind.severity == HINT)
    assert (told["near_duplicate"], audits.count_findings(checked)) == (1, sum(told.values()) - hints)
