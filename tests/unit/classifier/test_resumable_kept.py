"""What was acknowledged of an archive in parts is kept, or told to be lost; what nobody wants is cleared away."""

import io
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from classifier.models import Job, PartialUpload, Project
from classifier.services import resumable
from classifier.services.accounts import create_api_key
from classifier.services.images import read_file
from ml.errors import Conflict
from tests.unit.classifier.tus import DATA, Tus
from tests.unsynced import rows_without_files

pytestmark = pytest.mark.usefixtures("folder_storage")  # a bucket refuses small parts


@pytest.fixture
def api(client: Client, owner: User, project: Project) -> Tus:
    return Tus(client, create_api_key(owner, "test")[1])


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


def test_whole_archive_that_waits_for_its_turn_is_not_deleted(
    api: Tus, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise Conflict("You have too many jobs.")

    with monkeypatch.context() as patched:
        patched.setattr(resumable, "queue_ingest", refuse)
        api.send(api.begin()["Location"], 0, DATA)
        PartialUpload.objects.update(touched_at=timezone.now() - timedelta(days=8))
        resumable.tend_partial_uploads()
    resumable.tend_partial_uploads()
    assert project.uploads.count() == 1


def test_who_comes_back_at_the_last_moment_keeps_all(api: Tus, monkeypatch: pytest.MonkeyPatch) -> None:
    address = api.begin()["Location"]
    api.send(address, 0, DATA[:9])
    PartialUpload.objects.update(touched_at=timezone.now() - timedelta(days=8))
    hold = resumable._hold

    def come_back_first(partial: PartialUpload) -> Any:
        monkeypatch.setattr(resumable, "_hold", hold)
        api.send(address, 9, DATA[9:12])
        return hold(partial)

    monkeypatch.setattr(resumable, "_hold", come_back_first)
    resumable.tend_partial_uploads()
    assert api.offset(address) == 12


def test_archive_of_which_the_disk_lost_the_end_is_asked_for_again(
    api: Tus, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = api.begin()["Location"]
    with monkeypatch.context() as patched:
        patched.setattr(resumable, "finish", lambda partial: partial)  # the process dies before
        api.send(address, 0, DATA)
    Path(default_storage.path(PartialUpload.objects.get().path)).write_bytes(DATA[:3])
    resumable.tend_partial_uploads()
    assert api.offset(address) == 3
    assert project.uploads.count() == 0
    api.send(address, 3, DATA[3:])
    job = project.uploads.get().job
    assert job is not None
    assert read_file(job.config["archive"]) == DATA


def test_discarded_while_it_was_about_to_become_an_upload(
    api: Tus, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = api.begin()["Location"]
    finish = resumable.finish

    def discard_first(partial: PartialUpload) -> PartialUpload:
        api.client.delete(address, headers=api.headers)
        return finish(partial)

    monkeypatch.setattr(resumable, "finish", discard_first)
    assert api.send(address, 0, DATA).status_code == 204
    assert project.uploads.count() == 0
    assert api.send(address, 0, DATA).status_code == 404
