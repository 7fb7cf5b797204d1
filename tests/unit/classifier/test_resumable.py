"""An archive in parts: what is acknowledged is kept, and becomes an upload once, whatever comes between."""

import base64
import io
import os
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from classifier import disk
from classifier.locks import hold_row
from classifier.models import Job, PartialUpload, Project
from classifier.services import resumable
from classifier.services.accounts import create_api_key
from classifier.services.images import read_file
from ml.errors import Conflict
from tests.datasets import coloured_pictures, make_zip
from tests.unsynced import rows_without_files
from worker.run import run_job

DATA = b"0123456789" * 3


@pytest.fixture
def key(owner: User) -> str:
    return create_api_key(owner, "test")[1]


pytestmark = pytest.mark.usefixtures("folder_storage")  # a bucket refuses small parts


def metadata(**values: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


class Tus:
    """A client of the protocol for a project."""

    def __init__(self, client: Client, key: str, slug: str = "colours") -> None:
        self.client, self.path = client, f"/api/v1/projects/{slug}/resumable"
        self.headers = {"Authorization": f"Bearer {key}", "Tus-Resumable": "1.0.0"}

    def begin(self, size: int = len(DATA), name: str = "colours.zip", **values: str) -> Any:
        said = {"Upload-Length": str(size), "Upload-Metadata": metadata(filename=name, **values)}
        return self.client.post(self.path, headers={**self.headers, **said})

    def send(self, address: str, offset: int, data: bytes, **more: Any) -> Any:
        said = {"content_type": "application/offset+octet-stream", **more}
        return self.client.patch(address, data, headers={**self.headers, "Upload-Offset": str(offset)}, **said)

    def offset(self, address: str) -> int:
        return int(self.client.head(address, headers=self.headers)["Upload-Offset"])

    def get(self, address: str) -> Any:
        return self.client.get(address, headers=self.headers).json()


@pytest.fixture
def api(client: Client, key: str, project: Project) -> Tus:
    return Tus(client, key)


def test_parts_become_an_upload_like_any_other(api: Tus, project: Project, backbones: Path, settings: Any) -> None:
    settings.ML = replace(settings.ML, backbones_dir=backbones)
    data = make_zip({f"top/{name}": picture for name, picture in coloured_pictures(2).items()})
    begun = api.begin(len(data), lastModified="1700000000000", layout="last")
    assert begun.status_code == 201
    address = begun["Location"]
    for start in range(0, len(data), 1000):
        answer = api.send(address, start, data[start : start + 1000])
        assert (answer.status_code, answer["Upload-Offset"]) == (204, str(min(start + 1000, len(data))))
    told = api.get(address)
    assert (told["name"], told["last_modified"]) == ("colours.zip", 1700000000000)
    upload = project.uploads.get(pk=told["upload"])
    assert upload.job is not None
    assert upload.job.config["layout"] == "last"
    run_job(upload.job.pk)
    assert project.samples.count() == 6
    assert api.client.get(api.path, headers=api.headers).json() == []


def test_offset_is_told_to_whoever_comes_back(api: Tus) -> None:
    address = api.begin()["Location"]
    assert api.offset(address) == 0
    api.send(address, 0, DATA[:7])
    again = Tus(Client(), api.headers["Authorization"].removeprefix("Bearer "))  # another day
    head = again.client.head(address, headers=again.headers)
    assert (head["Upload-Offset"], head["Upload-Length"], head["Tus-Resumable"]) == ("7", str(len(DATA)), "1.0.0")
    assert head["Upload-Metadata"] == metadata(filename="colours.zip")
    assert head["Cache-Control"] == "private, no-store"
    (listed,) = again.get(again.path)
    assert (listed["offset"], listed["size"], listed["upload"]) == (7, len(DATA), None)


def test_session_goes_on_with_what_a_key_began(api: Tus, as_owner: Client) -> None:
    address = api.begin()["Location"]
    said = {"Upload-Offset": "0"}
    answer = as_owner.patch(address, DATA[:5], content_type="application/offset+octet-stream", headers=said)
    assert answer.status_code == 204


def test_session_needs_the_token_of_a_page(api: Tus, owner: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    assert strict.post(api.path, headers={"Upload-Length": "9"}).status_code == 403
    assert PartialUpload.objects.count() == 0


@pytest.mark.parametrize("offset", [0, 6, 8, 30])
def test_part_that_does_not_follow_is_refused(offset: int, api: Tus) -> None:
    address = api.begin()["Location"]
    api.send(address, 0, DATA[:7])
    answer = api.send(address, offset, DATA[:3])
    assert answer.status_code == 409
    assert "has 7 bytes" in answer.json()["error"]
    assert api.offset(address) == 7


def test_more_than_was_announced_is_refused(api: Tus, project: Project) -> None:
    address = api.begin()["Location"]
    assert api.send(address, 0, DATA + b"!").status_code == 413
    assert api.offset(address) == 0
    api.send(address, 0, DATA)
    assert api.send(address, len(DATA), b"!").status_code == 413
    assert read_file(PartialUpload.objects.get().path) == DATA


def test_larger_parts_than_memory_has_are_refused(api: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.api.tus.MOST_PART", 10)
    address = api.begin()["Location"]
    answer = api.send(address, 0, DATA)
    assert answer.status_code == 413
    assert "parts of 8 MB" in answer.json()["error"]


@pytest.mark.parametrize(
    ("said", "status", "sentence"),
    [
        ({"size": 0}, 422, "empty"),
        ({"size": 2**40}, 413, "GB at most"),
        ({"name": "colours.exe"}, 422, "filename"),
        ({"layout": "sideways"}, 422, "layout"),
        ({"layout": "x" * 1500}, 422, "layout"),
        ({"size": 2**60}, 422, "Upload-Length"),
    ],
)
def test_what_cannot_be_is_refused_before_its_first_byte(said: Any, status: int, sentence: str, api: Tus) -> None:
    answer = api.begin(**said)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]
    assert PartialUpload.objects.count() == 0


@pytest.mark.parametrize("text", ["filename !!!", "filename /w==", "filename", "x" * 5000, "filename ä"])
def test_metadata_that_cannot_be_read(text: str, api: Tus) -> None:
    answer = api.client.post(api.path, headers={**api.headers, "Upload-Length": "9", "Upload-Metadata": text})
    assert answer.status_code == 422


def test_other_versions_and_types_are_refused(api: Tus) -> None:
    address = api.begin()["Location"]
    assert api.send(address, 0, DATA, content_type="text/plain").status_code == 415
    api.headers["Tus-Resumable"] = "0.2.2"
    answer = api.send(address, 0, DATA)
    assert (answer.status_code, answer["Tus-Version"]) == (412, "1.0.0")


def test_server_says_what_it_speaks(api: Tus) -> None:
    answer = api.client.options(api.path, headers=api.headers)
    assert (answer["Tus-Version"], answer["Tus-Extension"]) == ("1.0.0", "creation,termination")
    assert int(answer["Tus-Max-Size"]) > 2**30


def test_stranger_finds_nothing(api: Tus, stranger: User, client: Client) -> None:
    address = api.begin()["Location"]
    other = Tus(client, create_api_key(stranger, "test")[1])
    assert client.head(address, headers=other.headers).status_code == 404
    assert client.options(api.path, headers=other.headers).status_code == 404
    assert other.send(address, 0, DATA).status_code == 404
    assert api.offset(address) == 0


def test_number_of_unfinished_uploads_is_bounded(api: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable, "MOST_OPEN", 2)
    first = api.begin()["Location"]
    api.begin()
    assert api.begin().status_code == 409
    assert api.client.delete(first, headers=api.headers).status_code == 204
    assert api.begin().status_code == 201


def test_full_disk_is_told(api: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    address = api.begin()["Location"]
    monkeypatch.setattr(disk, "free_bytes", lambda: disk.RESERVED + 3)
    assert api.begin(size=4).status_code == 503
    answer = api.send(address, 0, DATA)
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert api.offset(address) == 0


def test_discarded_upload_leaves_nothing(api: Tus) -> None:
    address = api.begin()["Location"]
    api.send(address, 0, DATA[:7])
    path = PartialUpload.objects.get().path
    assert default_storage.exists(path)
    api.client.delete(address, headers=api.headers)
    assert not default_storage.exists(path)
    assert api.client.head(address, headers=api.headers).status_code == 404


def test_discarding_what_has_become_an_upload_keeps_it(api: Tus, project: Project) -> None:
    address = api.begin()["Location"]
    api.send(address, 0, DATA)
    api.client.delete(address, headers=api.headers)
    job = project.uploads.get().job
    assert job is not None
    assert read_file(job.config["archive"]) == DATA


def test_one_writer_at_a_time(api: Tus) -> None:
    address = api.begin()["Location"]
    with hold_row(PartialUpload, PartialUpload.objects.get().pk):
        answer = api.send(address, 0, DATA)
        assert answer.status_code == 409
        assert "Another request" in answer.json()["error"]
        assert api.client.delete(address, headers=api.headers).status_code == 409
    assert api.send(address, 0, DATA).status_code == 204


def test_what_a_dying_process_wrote_is_written_over(api: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    address = api.begin()["Location"]
    api.send(address, 0, DATA[:7])

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(resumable, "_record", die)
        with pytest.raises(KeyboardInterrupt):
            api.send(address, 7, b"never acknowledged")
    assert api.offset(address) == 7
    api.send(address, 7, DATA[7:])
    assert read_file(PartialUpload.objects.get().path) == DATA


@pytest.mark.parametrize("end", [b"", OSError("The client has stalled.")])
def test_part_that_was_cut_off_is_kept_as_far_as_it_came(end: Any, api: Tus) -> None:
    class Cut:
        """A connection that ends, or raises, after four bytes."""

        answers = iter([DATA[:4], end])

        def read(self, *_: int) -> bytes:
            answer = next(self.answers)
            if isinstance(answer, OSError):
                raise answer
            return answer

        readline = read

    address = api.begin()["Location"]
    api.send(address, 0, DATA, **{"wsgi.input": Cut()})
    assert api.offset(address) == 4


def test_bytes_that_the_disk_lost_are_asked_for_again(api: Tus) -> None:
    address = api.begin()["Location"]
    api.send(address, 0, DATA[:9])
    Path(default_storage.path(PartialUpload.objects.get().path)).write_bytes(DATA[:3])
    assert api.send(address, 9, DATA[9:]).status_code == 409
    assert api.offset(address) == 3
    assert api.send(address, 3, DATA[3:]).status_code == 204


def test_offset_is_not_told_before_it_is_on_the_disk(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(default_storage.path("")).mkdir(parents=True, exist_ok=True)
    with rows_without_files(monkeypatch) as lost:
        partial = resumable.begin(project, resumable.Announced("a.zip", len(DATA)), by=project.owner)
        for start in range(0, len(DATA), 10):
            resumable.append(partial, start, DATA[start : start + 10])
    assert project.uploads.count() == 1
    assert lost == []


def test_the_watch_sees_a_part_that_is_not_synced(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(default_storage.path("")).mkdir(parents=True, exist_ok=True)
    with rows_without_files(monkeypatch) as lost:
        monkeypatch.setattr("classifier.storage.sync_path", lambda path: None)
        partial = resumable.begin(project, resumable.Announced("a.zip", len(DATA)), by=project.owner)
        resumable.append(partial, 0, DATA[:10])
    assert set(lost) == {partial.path}


def test_what_hindered_the_end_is_tried_again(api: Tus, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    address = api.begin()["Location"]

    def refuse(*_: Any, **__: Any) -> None:
        raise Conflict("You have too many jobs.")

    with monkeypatch.context() as patched:
        patched.setattr(resumable, "queue_ingest", refuse)
        assert api.send(address, 0, DATA).status_code == 204
    assert api.get(address)["upload"] is None
    for _ in range(2):
        resumable.tend_partial_uploads()
    assert project.uploads.count() == 1
    assert api.get(address)["job"] == Job.objects.get().pk


def check_files() -> str:
    out = io.StringIO()
    with suppress(SystemExit):
        call_command("check_files", stdout=out)
    return out.getvalue()


def test_checks_know_unfinished_uploads(api: Tus) -> None:
    address = api.begin()["Location"]
    api.send(address, 0, DATA[:9])
    path = Path(default_storage.path(PartialUpload.objects.get().path))
    old = timezone.now().timestamp() - 3 * 24 * 3600
    os.utime(path, (old, old))
    assert check_files() == "0 missing or damaged, 0 orphans.\n"
    path.write_bytes(b"")
    assert "unfinished upload colours.zip" in check_files()


def test_what_nobody_goes_on_with_is_deleted_after_a_week(api: Tus, project: Project) -> None:
    left, active, done = (api.begin()["Location"] for _ in range(3))
    for address, data in ((left, DATA[:9]), (active, DATA[:9]), (done, DATA)):
        api.send(address, 0, data)
    old = PartialUpload.objects.exclude(token=active.rsplit("/", 1)[1])
    paths = [partial.path for partial in old.filter(upload=None)]
    old.update(touched_at=timezone.now() - timedelta(days=8))
    resumable.tend_partial_uploads()
    assert [partial.token for partial in PartialUpload.objects.all()] == [active.rsplit("/", 1)[1]]
    assert not any(default_storage.exists(path) for path in paths)
    job = project.uploads.get().job
    assert job is not None
    assert default_storage.exists(job.config["archive"])
