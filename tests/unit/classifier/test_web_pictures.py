"""Test tables of web addresses: what is fetched, what is refused, and that nothing inside the network is reached."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from classifier.jobs.lifecycle import LeaseLost
from classifier.models import Job, Project, UploadItem
from classifier.services import uploads, web_pictures
from classifier.services.web_pictures import fetch_picture, walk_with_web
from ml.datasets.archives import ArchiveEntry, ArchiveWalk
from ml.datasets.names import EntryRefused
from ml.datasets.plan import Verdict
from tests.pictures import make_jpeg
from worker.run import run_job


class Pictures(http.server.BaseHTTPRequestHandler):
    """Answers /NUMBER.jpg with a picture, and a few other addresses badly."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = self.path.partition("?")[0].strip("/")
        if name == "elsewhere":
            self.send_response(302)
            self.send_header("Location", "/7.jpg")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif name == "busy" and self.asked.count(self.path) == 1:
            self.answer(503, b"")
        elif name == "page.jpg":
            self.answer(200, b"<html>no picture</html>")
        elif name.partition(".")[0].isdigit() or name == "busy":
            self.answer(200, make_jpeg(int(name.partition(".")[0] or 0) if name != "busy" else 50))
        else:
            self.answer(404, b"")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def web(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve pictures on this machine, which is allowed to be fetched from."""
    settings.ML = replace(settings.ML, fetch_private_addresses=True)
    monkeypatch.setattr(web_pictures, "PAUSE", 0.0)
    Pictures.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def table(web: str, *rows: str) -> bytes:
    return "\n".join(["url,label,split", *(f"{web}/{row}" for row in rows)]).encode()


def bring_in(project: Project, data: bytes) -> Job:
    file = SimpleUploadedFile("list.csv", data)
    upload = uploads.receive_table(project, file, "list.csv", by=project.owner)
    run_job(upload.job_id)  # type: ignore[arg-type]
    return Job.objects.get(pk=upload.job_id)


def test_pictures_are_fetched_into_their_classes_and_splits(project: Project, web: str) -> None:
    kinds = {n: ("cat" if n % 2 else "dog", "test" if n < 2 else "training") for n in range(20)}
    rows = [f"{number}.jpg,{label},{split}" for number, (label, split) in kinds.items()]
    job = bring_in(project, table(web, *rows, "elsewhere,cat,train", "busy,dog,train"))
    assert job.status == Job.Status.SUCCEEDED
    samples = project.samples.values_list("file_name", "image_class__name", "split")
    wanted = {(f"{web}/{number}.jpg", *kind) for number, kind in kinds.items()}
    assert set(samples) == wanted | {(f"{web}/busy", "dog", "training")}  # /elsewhere leads to number 7, which is there


def test_what_cannot_be_had_is_refused_by_name(project: Project, web: str) -> None:
    rows = ["1.jpg,cat,", "gone.jpg,cat,", "page.jpg,cat,", "2.jpg,cat,"]
    more = b"\nftp://example.org/3.jpg,cat,\nhttp://user:secret@127.0.0.1/4.jpg,cat,\nhttp://127.0.0.1:9/5.jpg,cat,"
    job = bring_in(project, table(web, *rows) + more)
    assert job.status == Job.Status.SUCCEEDED
    assert project.samples.count() == 2
    refused = UploadItem.objects.filter(status=UploadItem.Status.REJECTED, file_name__contains="://")
    reasons = dict(refused.values_list("file_name", "reason"))
    assert "answered with status 404" in reasons[f"{web}/gone.jpg"]
    assert reasons[f"{web}/page.jpg"]
    assert "https:// or http://" in reasons["ftp://example.org/3.jpg"]
    assert "user name or password" in reasons["http://user:secret@127.0.0.1/4.jpg"]
    assert "does not give it" in reasons["http://127.0.0.1:9/5.jpg"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "10.0.0.1", "192.168.1.1"])
def test_nothing_inside_the_network_is_fetched(host: str, web: str, settings: Any) -> None:
    settings.ML = replace(settings.ML, fetch_private_addresses=False)
    with pytest.raises(EntryRefused, match=r"private network|does not give"):
        fetch_picture(f"http://{host}:{web.rpartition(':')[2]}/1.jpg")
    assert not Pictures.asked


def test_too_large_a_picture_is_not_kept_in_memory(web: str, settings: Any) -> None:
    settings.ARCHIVE_LIMITS = replace(settings.ARCHIVE_LIMITS, max_file_bytes=100)
    with pytest.raises(EntryRefused, match="larger"):
        fetch_picture(f"{web}/1.jpg")


def test_address_with_spaces_and_umlauts_is_asked_for(web: str) -> None:
    assert fetch_picture(f"{web}/1.jpg?name=grüner apfel") == make_jpeg(1)
    assert Pictures.asked == ["/1.jpg?name=gr%C3%BCner%20apfel"]


def test_job_goes_on_behind_what_was_fetched(project: Project, web: str) -> None:
    upload = uploads.receive_table(
        project, SimpleUploadedFile("list.csv", table(web, *(f"{n}.jpg,cat," for n in range(6)))), "list.csv", by=None
    )
    # As if a worker had died after the table's own line and three pictures.
    UploadItem.objects.bulk_create(UploadItem(upload=upload, file_name=str(n), status="stored") for n in range(4))
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert sorted(Pictures.asked) == ["/3.jpg", "/4.jpg", "/5.jpg"]


def walk(web: str, count: int, alive: Callable[[], None] = lambda: None) -> list[ArchiveEntry]:
    wanted = {f"{web}/{number}.jpg": Verdict("cat") for number in range(count)}
    return list(walk_with_web(ArchiveWalk(0, iter(())), wanted, alive=alive))


def test_host_that_keeps_waiting_is_asked_no_more(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_pictures, "TIMEOUT", 0.0)  # every answer is late
    found = walk(web, 40)
    assert {entry.reason for entry in found[-10:]} == {"127.0.0.1 has not answered 10 times, and is asked no more."}
    assert len(Pictures.asked) < 10 + web_pictures.AT_ONCE


def test_archive_that_takes_too_long_to_fetch_is_given_up(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_pictures, "MOST_SECONDS", -1.0)
    assert "took too long" in str(walk(web, 3)[-1].reason)
    assert not Pictures.asked


def test_slow_answer_keeps_nobody_from_cancelling(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    monkeypatch.setattr(web_pictures, "fetch_picture", lambda address: bytes(answers.wait(60)))

    def alive() -> None:
        raise LeaseLost

    try:
        with pytest.raises(LeaseLost):
            walk(web, 20, alive)
        assert not answers.is_set()
    finally:
        answers.set()


def test_table_alone_over_the_api_and_the_page(project: Project, web: str, as_owner: Client) -> None:
    address = f"/api/v1/projects/{project.slug}/uploads"
    data = table(web, "1.jpg,cat,", "2.jpg,dog,")
    plan = as_owner.post(address, {"file": SimpleUploadedFile("list.csv", data), "dry_run": "true"})
    assert (plan.status_code, plan.json()["classes"]) == (200, {"cat": 1, "dog": 1})
    assert not Pictures.asked
    queued = as_owner.post(address, {"file": SimpleUploadedFile("list.csv", data)})
    assert queued.status_code == 202
    run_job(queued.json()["job"])
    assert project.samples.count() == 2
    page = as_owner.post(f"/projects/{project.slug}/uploads/archive", {"file": SimpleUploadedFile("more.csv", data)})
    assert page.status_code == 202


def test_import_dataset_fetches_a_table(project: Project, web: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(table(web, "1.jpg,cat,", "2.jpg,dog,"))
    call_command("import_dataset", tmp_path / "list.csv", project=project.slug, verbosity=0)
    assert sorted(project.samples.values_list("image_class__name", flat=True)) == ["cat", "dog"]


def fetch_folder(client: Client, project: Project, paths: list[str], data: bytes, **fields: Any) -> Any:
    """Ask for what the table of a folder names, as the browser does that planned the folder."""
    sent = {
        "paths": SimpleUploadedFile("blob", json.dumps([[path, 10] for path in paths]).encode()),
        "table_path": ["d/list.csv"],
        "table": [SimpleUploadedFile("list.csv", data)],
        "source": "Folder “d”",
        **fields,
    }
    return client.post(f"/projects/{project.slug}/uploads/fetch", sent)


def test_folder_with_pictures_and_a_table_of_addresses(project: Project, web: str, as_owner: Client) -> None:
    rows = ["2.jpg,dog,training", "3.jpg,,", "gone.jpg,cat,"]
    data = table(web, *rows) + b"\nftp://example.org/3.jpg,cat,"
    answer = fetch_folder(as_owner, project, ["d/cat/a.jpg", "d/dog/b.jpg", "d/list.csv"], data)
    assert answer.status_code == 202
    upload = project.uploads.get(pk=answer.json()["upload"])
    assert upload.source == "Folder “d”: pictures from the web"
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert Job.objects.get(pk=upload.job_id).status == Job.Status.SUCCEEDED
    found = set(project.samples.values_list("file_name", "image_class__name", "split"))
    assert found == {(f"{web}/2.jpg", "dog", "training"), (f"{web}/3.jpg", None, "")}
    refused = dict(upload.items.filter(status="rejected").values_list("file_name", "reason"))
    assert set(refused) == {f"{web}/gone.jpg", "ftp://example.org/3.jpg"}


def test_answers_to_the_folder_hold_for_what_is_fetched(project: Project, web: str, as_owner: Client) -> None:
    paths = ["d/Cat/a.jpg", "d/Cat/b.jpg", "d/list.csv"]
    data = table(web, "1.jpg,cat,test")
    unclear = fetch_folder(as_owner, project, paths, data)
    assert unclear.status_code == 422
    assert "Answer the questions first" in unclear.content.decode()
    answer = fetch_folder(as_owner, project, paths, data, layout=["auto,merge", "auto,deal"])
    run_job(project.uploads.get(pk=answer.json()["upload"]).job_id)  # type: ignore[arg-type]
    assert list(project.samples.values_list("image_class__name", "split")) == [("Cat", "")]


def test_folder_whose_tables_name_no_addresses_has_nothing_to_fetch(project: Project, as_owner: Client) -> None:
    answer = fetch_folder(as_owner, project, ["d/cat/1.jpg", "d/list.csv"], b"file,label\n1.jpg,cat")
    assert answer.status_code == 422
    assert not project.uploads.exists()


def test_what_was_planned_is_fetched_on_after_a_worker_died(project: Project, web: str, as_owner: Client) -> None:
    rows = [f"{number}.jpg,cat," for number in range(6)]
    answer = fetch_folder(as_owner, project, ["d/cat/9.jpg", "d/list.csv"], table(web, *rows))
    upload = project.uploads.get(pk=answer.json()["upload"])
    UploadItem.objects.bulk_create(UploadItem(upload=upload, file_name=str(n), status="stored") for n in range(4))
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert sorted(Pictures.asked) == ["/4.jpg", "/5.jpg"]
