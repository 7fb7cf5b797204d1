"""A backup made while a site runs is a whole site again elsewhere, whichever database is there."""

import io
import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as site
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.backends.base.base import NO_DB_ALIAS

from classifier.models import Image, ModelVersion, Passkey, Project, RecoveryCode, Sample, SignUp
from classifier.services import identities, samples, second_factor, teams
from classifier.services.backups import making, restoring, rows
from classifier.services.backups.files import copy_file
from classifier.services.portable import snapshot
from classifier.services.prediction import AnsweringVersion, answer
from classifier.workers import record_worker
from poetsweb.instance import only_copy
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import store_fake_embeddings

# What a snapshot sees has been committed.
pytestmark = pytest.mark.django_db(transaction=True)

NOW = "2026-11-27T10:00:00.123456+00:00"


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the snapshot the one name of a connection that Django's tests let through."""
    monkeypatch.setattr(snapshot, "ALIAS", NO_DB_ALIAS)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backup"


def run(command: str, *arguments: Any) -> str:
    out = io.StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=out)
    return out.getvalue()


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows that a backup has, in a form that can be compared."""
    return {
        model._meta.label_lower: [
            tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
            for row in model._base_manager.order_by("pk").values_list()
        ]
        for model in rows.list_tables(apps)
    }


def empty_site() -> None:
    with transaction.atomic():
        rows.delete_rows(apps)
    if isinstance(default_storage.exists("images"), bool) and not site.S3_BUCKET:
        shutil.rmtree(site.MEDIA_ROOT)


def fill(trained: ModelVersion) -> None:
    second_factor.begin(trained.project.owner)
    Passkey.objects.create(user=trained.project.owner, name="phone", credential_id="AA", data=b"\x00\xff")
    RecoveryCode.objects.create(user=trained.project.owner, digest="0" * 64)
    identities.connect(trained.project.owner, identities.Person("https://login.example.org", "1", "owner"))
    SignUp.objects.create(username="ada", email="ada@school.org", password="hashed")
    store_fake_embeddings(trained.project)
    Project.objects.filter(pk=trained.project_id).update(created_at=NOW)
    team = teams.create_team("Colours", by=trained.project.owner)
    team.members.add(User.objects.create_user("other"))


def ask(version: ModelVersion) -> Any:
    version.refresh_from_db()
    names = dict(version.project.classes.values_list("pk", "name"))
    answering = AnsweringVersion(version.number, version.backbone, version.artifact_digest, names)
    return answer(answering, [make_jpeg(1), make_jpeg(2)]).answers


def test_restored_site_is_the_same(trained: ModelVersion, target: Path) -> None:
    fill(trained)
    before, answers = everything(), ask(trained)
    said = run("backup", target, "--with-files")
    assert f"{sum(map(len, before.values())):,} rows" in said
    empty_site()
    assert not Image.objects.exists()
    said = run("restore", target)
    assert "0 missing or damaged" in said
    assert everything() == before
    assert ask(ModelVersion.objects.get(pk=trained.pk)) == answers


def test_new_rows_get_new_numbers(trained: ModelVersion, target: Path) -> None:
    highest = max(User.objects.values_list("pk", flat=True))
    run("backup", target, "--with-files")
    empty_site()
    run("restore", target)
    assert User.objects.create_user("newcomer").pk > highest


def test_backup_can_be_read_by_nobody_else_and_holds_no_secrets(
    trained: ModelVersion, target: Path, settings: Any
) -> None:
    run("backup", target)
    assert target.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in target.rglob("*") if path.name == "manifest.json")
    assert settings.SECRET_KEY not in (target / "settings.env").read_text()
    assert "POETSWEB_BACKBONE=testing" in (target / "settings.env").read_text()
    run("backup", target.with_name("with"), "--with-secrets")
    assert settings.SECRET_KEY in (target.with_name("with") / "settings.env").read_text()
    assert not list(target.glob("snapshot*"))


def test_pictures_that_were_deleted_meanwhile_are_deleted_from_the_restored_site(
    trained: ModelVersion, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    erased, kept = Image.objects.order_by("sha256")[:2]
    path, count, dump = erased.path, Sample.objects.count(), rows.dump_rows

    def erase_then_dump(*args: Any, **options: Any) -> int:
        samples.purge_pictures([erased.sha256])
        return dump(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(rows, "dump_rows", erase_then_dump)
        assert path in run("backup", target, "--with-files")
    empty_site()
    assert "0 missing or damaged" in run("restore", target)
    assert Sample.objects.count() == count - 1
    assert set(Image.objects.filter(pk__in=[erased.pk, kept.pk])) == {kept}


def test_files_that_were_deleted_meanwhile_are_told(
    trained: ModelVersion, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Image.objects.order_by("sha256")[0].path
    dump = rows.dump_rows

    def delete_then_dump(*args: Any, **options: Any) -> int:
        default_storage.delete(path)
        return dump(*args, **options)

    monkeypatch.setattr(rows, "dump_rows", delete_then_dump)
    assert path in run("backup", target, "--with-files")
    empty_site()
    with pytest.raises(SystemExit):
        run("restore", target)
    assert Sample.objects.exists()


def test_what_is_written_after_the_snapshot_is_not_in_it(
    trained: ModelVersion, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump, late = rows.dump_rows, []

    def write_then_dump(*args: Any, **options: Any) -> int:
        late.append(User.objects.create_user(f"late-{len(late)}"))
        return dump(*args, **options)

    monkeypatch.setattr(rows, "dump_rows", write_then_dump)
    run("backup", target)
    assert late
    assert "late-" not in (target / "database/auth.user.jsonl").read_text()


def test_interrupted_backup_is_none_and_is_made_again(
    trained: ModelVersion, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> Any:
        if len(list((target / "files").rglob("*.*"))) or fail.count > 3:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        fail.count += 1  # type: ignore[attr-defined]
        return copy_file(*args)

    fail.count = 0  # type: ignore[attr-defined]
    monkeypatch.setattr("classifier.services.backups.files.copy_file", fail)
    with pytest.raises(KeyboardInterrupt):
        run("backup", target, "--with-files")
    with pytest.raises(CommandError, match="no whole backup"):
        run("restore", target)
    monkeypatch.setattr("classifier.services.backups.files.copy_file", copy_file)
    run("backup", target, "--with-files")
    empty_site()
    assert "0 missing or damaged" in run("restore", target)


def test_target_must_be_elsewhere_and_empty(trained: ModelVersion, target: Path) -> None:
    for inside in (site.DATA_DIR, site.DATA_DIR / "backups" / "monday"):
        with pytest.raises(CommandError, match="in the data folder"):
            run("backup", inside)
    target.mkdir()
    (target / "letter.txt").write_text("Dear")
    with pytest.raises(CommandError, match="not empty"):
        run("backup", target)
    run("backup", target.with_name("other"))
    with pytest.raises(CommandError, match="holds a backup already"):
        run("backup", target.with_name("other"))


def test_database_of_another_version_is_not_backed_up(
    trained: ModelVersion, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "compare_migrations", lambda: (["classifier.9999_next"], []))
    with pytest.raises(CommandError, match="prepare"):
        run("backup", target)
    assert not target.exists()


# --- what is not restored ------------------------------------------------------------------------------


def test_filled_site_is_kept_unless_it_is_said(trained: ModelVersion, target: Path) -> None:
    run("backup", target, "--with-files")
    User.objects.create_user("since")
    with pytest.raises(CommandError, match="not empty"):
        run("restore", target)
    assert User.objects.filter(username="since").exists()
    run("restore", target, "--replace")
    assert not User.objects.filter(username="since").exists()


def test_nothing_is_restored_under_living_workers(trained: ModelVersion, target: Path) -> None:
    run("backup", target)
    record_worker("worker@here", ["embed"])
    with pytest.raises(CommandError, match="Stop all"):
        run("restore", target, "--replace")


def test_nothing_is_restored_under_a_site_that_runs_here(trained: ModelVersion, target: Path) -> None:
    run("backup", target)
    with only_copy(site.DATA_DIR), pytest.raises(CommandError, match="already running"):
        run("restore", target, "--replace")
    assert ModelVersion.objects.get() == trained
    run("restore", target, "--replace")


@pytest.mark.parametrize("change", [{"format": 2, "extra": 1}, {"migrations": ["classifier.9999_next"]}])
def test_backup_of_a_newer_program_is_refused(trained: ModelVersion, target: Path, change: dict[str, Any]) -> None:
    run("backup", target)
    told = json.loads((target / "manifest.json").read_text()) | change | {"program": "9.9"}
    (target / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(CommandError, match=r"newer version 9\.9"):
        run("restore", target, "--replace")


@pytest.mark.parametrize("part", ["database/auth.user.jsonl", "files.jsonl", "settings.env"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_damaged_backup_changes_nothing(trained: ModelVersion, target: Path, part: str, how: str) -> None:
    run("backup", target)
    before = everything()
    if how == "gone":
        (target / part).unlink()
    else:
        (target / part).write_text((target / part).read_text() + " ")
    with pytest.raises(CommandError, match="damaged"):
        run("restore", target, "--replace")
    assert everything() == before


def test_damaged_picture_is_found_before_a_row_is_written(trained: ModelVersion, target: Path) -> None:
    run("backup", target, "--with-files")
    (picture := next((target / "files/images").rglob("*/*"))).write_bytes(os.urandom(picture.stat().st_size))
    empty_site()
    with pytest.raises(CommandError, match="damaged"):
        run("restore", target)
    assert not User.objects.exists()


def test_interrupted_restore_leaves_no_rows_and_goes_on(
    trained: ModelVersion, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("backup", target, "--with-files")
    before = everything()
    empty_site()
    load = rows.load_rows

    def fail(model: Any, path: Path) -> int:
        if model is Sample:
            raise KeyboardInterrupt
        return load(model, path)

    monkeypatch.setattr(rows, "load_rows", fail)
    with pytest.raises(KeyboardInterrupt):
        run("restore", target)
    assert not User.objects.exists()
    monkeypatch.setattr(rows, "load_rows", load)
    assert "; 0 files were brought back" in run("restore", target)
    assert everything() == before


def test_path_out_of_the_storage_is_refused(trained: ModelVersion, target: Path) -> None:
    run("backup", target, "--with-files")
    lines = target / "files.jsonl"
    lines.write_text('{"path":"../../evil","size":1,"sha256":"0"}\n')
    told = json.loads((target / "manifest.json").read_text())
    told["sha256"]["files.jsonl"] = making.hash_file(lines)
    (target / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(CommandError, match="outside of the storage"):
        run("restore", target, "--replace")


def test_leaves_of_an_older_program_are_found() -> None:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    found = restoring._leaves(
        MigrationExecutor(connection), {"classifier.0001_first", "classifier.0002_fewer_picture_folders"}
    )
    assert ("classifier", "0002_fewer_picture_folders") in found
    assert ("sessions", None) in found


def test_snapshot_is_a_whole_database(trained: ModelVersion, tmp_path: Path) -> None:
    from django.db import connection

    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps its own.")
    from classifier.services.portable.snapshot import _copy_sqlite

    _copy_sqlite(tmp_path / "copy")
    with sqlite3.connect(tmp_path / "copy") as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()
