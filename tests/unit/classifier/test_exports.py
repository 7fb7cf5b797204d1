"""model version -> export: asked for once, kept only when right, given to those who may see the project."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from classifier.jobs import lifecycle
from classifier.models import Export, Job, ModelVersion, Sample
from classifier.selectors import class_names
from classifier.services import exports
from classifier.services.artifacts import load_evaluation
from classifier.services.exports import UnknownFormat, request_export
from classifier.services.samples import delete_samples, pick, purge_samples
from ml.exports.registry import FORMATS
from ml.sandbox.child import ChildFailed, ChildKilled
from tests.unit.classifier.conftest import CERTIFICATE, store_export
from worker.run import run_job


def address(version: ModelVersion, ending: str = "") -> str:
    return f"/api/v1/projects/{version.project.slug}/versions/{version.number}/exports{ending}"


def test_second_request_finds_the_first(trained: ModelVersion) -> None:
    first = request_export(trained, "tflite", by=trained.project.owner)
    assert request_export(trained, "tflite", by=trained.project.owner) == first
    lifecycle.cancel_job(first)
    second = request_export(trained, "tflite", by=trained.project.owner)
    assert second != first
    assert Export.objects.get().job == second


def test_what_is_made_is_not_made_again(trained: ModelVersion, tmp_path: Path) -> None:
    job = store_export(trained, tmp_path)
    assert request_export(trained, "tflite", by=trained.project.owner) == job
    assert Job.objects.filter(kind="export").count() == 1


@pytest.mark.parametrize("format", ["exe", "", "../tflite", "x" * 5000])
def test_unknown_format_names_the_known(format: str, trained: ModelVersion, as_owner: Client) -> None:
    with pytest.raises(UnknownFormat, match="Choose one of: tflite, tflite_float16, "):
        request_export(trained, format, by=trained.project.owner)
    answer = as_owner.post(address(trained), {"format": format}, content_type="application/json")
    assert answer.status_code == 422
    assert len(answer.json()["error"]) < 300


def test_api_tells_how_far_it_is_and_gives_the_file(trained: ModelVersion, as_owner: Client, tmp_path: Path) -> None:
    assert as_owner.get(address(trained)).json() == []
    answer = as_owner.post(address(trained), {"format": "tflite"}, content_type="application/json")
    assert answer.status_code == 202
    (listed,) = as_owner.get(address(trained)).json()
    assert (listed["status"], listed["job"], listed["size"]) == ("QUEUED", answer.json()["job"], None)
    assert as_owner.get(address(trained, "/tflite")).status_code == 404

    store_export(trained, tmp_path)
    (listed,) = as_owner.get(address(trained)).json()
    assert (listed["status"], listed["certificate"]) == ("SUCCEEDED", CERTIFICATE)
    response = as_owner.get(address(trained, "/tflite"))
    data = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert len(data) == listed["size"]
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["colours-v1-tflite/README.md"]
    assert 'filename="colours-v1-tflite.zip"' in response["Content-Disposition"]


def test_page_offers_makes_and_gives(trained: ModelVersion, as_owner: Client, tmp_path: Path) -> None:
    page = as_owner.get(trained.get_absolute_url()).content.decode()
    assert "Create the file" in page
    make = reverse("version_export", args=[trained.project.slug, 1, "tflite"])
    job = as_owner.post(make)["Location"]
    assert "Exporting" in as_owner.get(job).content.decode()
    assert "Creating the file" in as_owner.get(trained.get_absolute_url()).content.decode()
    store_export(trained, tmp_path)
    page = as_owner.get(trained.get_absolute_url()).content.decode()
    assert "The file predicts the same class as this site for 100.0 %" in page
    assert "Download" in page
    assert as_owner.post(reverse("version_export", args=[trained.project.slug, 1, "exe"])).status_code == 404


def test_export_with_old_names_says_so_and_is_made_again(
    trained: ModelVersion, as_owner: Client, tmp_path: Path
) -> None:
    first = store_export(trained, tmp_path)
    renamed = trained.project.classes.order_by("pk")[0]
    assert "has been renamed since" not in as_owner.get(trained.get_absolute_url()).content.decode()
    renamed.name = "Pomme rouge"
    renamed.save()
    (listed,) = as_owner.get(address(trained)).json()
    assert listed["has_old_names"]
    page = as_owner.get(trained.get_absolute_url()).content.decode()
    assert "A class has been renamed since this file was made" in page
    assert "Download" in page
    second = request_export(trained, "tflite", by=trained.project.owner)
    assert second != first
    assert request_export(trained, "tflite", by=trained.project.owner) == second
    old = as_owner.get(address(trained, "/tflite"))  # until then
    assert zipfile.is_zipfile(io.BytesIO(b"".join(old.streaming_content)))  # type: ignore[attr-defined]
    assert "It is being made again" in as_owner.get(trained.get_absolute_url()).content.decode()
    assert store_export(trained, tmp_path) == second
    (listed,) = as_owner.get(address(trained)).json()
    assert not listed["has_old_names"]
    assert "Pomme rouge" in Export.objects.get().labels
    assert request_export(trained, "tflite", by=trained.project.owner) == second


def test_older_export_is_taken_to_have_the_names_of_the_training(trained: ModelVersion, tmp_path: Path) -> None:
    store_export(trained, tmp_path)
    Export.objects.update(labels=None)
    assert not exports.has_old_names(Export.objects.get(), trained, class_names(trained))
    first = trained.project.classes.order_by("pk")[0]
    trained.project.classes.filter(pk=first.pk).update(name="Renamed")
    assert exports.has_old_names(Export.objects.get(), trained, class_names(trained))


def test_refused_file_says_why_and_is_not_kept(trained: ModelVersion, as_owner: Client) -> None:
    job = request_export(trained, "tflite", by=trained.project.owner)
    wrong = {**CERTIFICATE, "passed": False, "agreement": 0.5, "reasons": ["It agrees on 50.0 %."]}
    exports.record_refusal(Export.objects.get(), wrong)
    lifecycle.fail_job(job.pk, sentence="The file was not kept. It agrees on 50.0 %.")
    page = as_owner.get(trained.get_absolute_url()).content.decode()
    assert "It agrees on 50.0 %." in page
    assert "Try again" in page
    assert as_owner.get(address(trained, "/tflite")).status_code == 404


@pytest.fixture
def _without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], needs=("no_such_module_anywhere",)))


@pytest.mark.usefixtures("_without_onnx")
def test_absent_format_says_how_to_get_it_and_makes_no_job(trained: ModelVersion, as_owner: Client) -> None:
    answer = as_owner.post(address(trained), {"format": "onnx"}, content_type="application/json")
    assert answer.status_code == 409
    assert "EXTRAS=onnx" in answer.json()["error"]
    page = as_owner.get(trained.get_absolute_url()).content.decode()
    assert "This site does not have the optional packages for ONNX." in page
    assert reverse("version_export", args=[trained.project.slug, 1, "onnx"]) not in page
    pressed = as_owner.post(reverse("version_export", args=[trained.project.slug, 1, "onnx"]), follow=True)
    assert pressed.content.decode().count("EXTRAS=onnx") == 2  # beside the format, and as the answer
    assert not Job.objects.filter(kind="export").exists()
    assert as_owner.get(address(trained)).json() == []


def test_worker_without_the_extra_fails_with_the_sentence(
    trained: ModelVersion, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], needs=()))
    job = request_export(trained, "onnx", by=trained.project.owner)
    request.getfixturevalue("_without_onnx")
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert "EXTRAS=onnx" in job.error


def test_same_files_give_the_same_archive(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("b")
    (tmp_path / "a").write_text("a")
    first = exports.pack_files(tmp_path, folder="x")
    (tmp_path / "a").touch()
    assert exports.pack_files(tmp_path, folder="x") == first
    assert zipfile.ZipFile(io.BytesIO(first)).namelist() == ["x/a", "x/b"]


def test_purged_test_pictures_are_left_out(trained: ModelVersion) -> None:
    evaluation = load_evaluation(trained.artifact_digest)
    gone = Sample.objects.get(project=trained.project, image__sha256=evaluation.sha256s[0])
    delete_samples(trained.project, pick(trained.project, [gone.pk]), by=None)
    purge_samples(trained.project)
    kept = exports.keep_what_is_there(evaluation)
    assert kept.sha256s == evaluation.sha256s[1:]
    assert len(kept.labels) == len(kept.probabilities) == 2


@pytest.mark.parametrize(
    ("death", "why"),
    [
        (ChildKilled(-9, ""), "ran out of memory"),
        (ChildFailed(-11, ""), "It crashed"),
        (ChildFailed(-6, ""), "crashed"),
    ],
    ids=["killed", "segmentation fault", "abort"],
)
def test_program_that_dies_is_run_again_and_blamed_at_last(
    death: ChildFailed, why: str, trained: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **options: object) -> None:
        raise death

    monkeypatch.setattr("ml.exports.run.run_child", die)
    job = request_export(trained, "tflite", by=trained.project.owner)
    for _ in range(lifecycle.MAX_WORKER_DEATHS - 1):
        run_job(job.pk)
        job.refresh_from_db()
        assert (job.status, job.lease) == ("RUNNING", "")
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert why in job.error


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ([1, 3], [("load", 0, 1), ("check", 0, 3), ("check", 3, 3)]),  # the first says nothing of the rate
        ([], [("load", 0, 1)]),
    ],
    ids=["as it goes", "too fast to be heard"],
)
def test_files_are_loaded_before_they_are_checked(
    said: list[int], seen: list[tuple[str, int, int]], trained: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = request_export(trained, "tflite", by=trained.project.owner)
    found = []

    def look() -> None:
        job.refresh_from_db()
        found.append((job.stage, job.done, job.total))

    def certify(*given: Any, **options: Any) -> dict[str, Any]:
        *_, report = given
        look()
        for done in said:
            report(done)
            look()
        return {**CERTIFICATE, "passed": False, "reasons": ["It is only half a file."]}

    monkeypatch.setattr("worker.export.build_export", lambda format, parts, folder, alive: folder)
    monkeypatch.setattr("worker.export.certify_export", certify)
    run_job(job.pk)
    assert found == seen
    job.refresh_from_db()
    assert "It is only half a file." in job.error
    assert (job.stage, job.total) == ("check", 3)
    titles = [line.text for line in job.log_lines.order_by("pk")]
    assert (
        titles.count("Loading the files.") == titles.count("Checking the files on the test pictures: 3 pictures.") == 1
    )
