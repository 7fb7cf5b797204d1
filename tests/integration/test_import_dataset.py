"""The command line: pictures from a folder or an archive, without any server."""

import json
import os
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from classifier.management.commands import import_dataset
from classifier.models import Sample, UploadItem
from classifier.services import trash
from classifier.services.projects import create_project
from tests.datasets import coloured_pictures, make_tgz
from tests.pictures import make_jpeg

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():  # type: ignore[no-untyped-def]
    return create_project("Colours", by=User.objects.create_user("owner"), slug="colours")


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def test_folder(project, tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    folder = write(tmp_path / "colours", {**coloured_pictures(3), "red/broken.jpg": b"", "README.txt": b"hello"})
    call_command("import_dataset", str(folder), "--project", "colours")
    out, err = capsys.readouterr()
    assert "9 stored, 0 already there, 2 rejected" in out
    assert "rejected: red/broken.jpg: The file is empty." in err
    assert Sample.objects.filter(project=project).count() == 9
    assert set(project.classes.values_list("name", flat=True)) == {"red", "green", "blue"}


def test_archive_twice_stores_once(project, tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    archive = tmp_path / "colours.tgz"
    archive.write_bytes(make_tgz({f"top/{name}": data for name, data in coloured_pictures(2).items()}))
    call_command("import_dataset", str(archive), "--project", "colours")
    call_command("import_dataset", str(archive), "--project", "colours")
    assert "0 stored, 6 already there, 0 rejected" in capsys.readouterr().out
    assert Sample.objects.count() == 6
    assert UploadItem.objects.count() == 12


def test_missing_project_and_missing_file_are_sentences(project, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CommandError, match="There is no project 'nope'"):
        call_command("import_dataset", str(tmp_path), "--project", "nope")
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_dataset", str(tmp_path / "none.zip"), "--project", "colours")
    (tmp_path / "text.zip").write_bytes(b"not a zip at all" * 100)
    with pytest.raises(CommandError):
        call_command("import_dataset", str(tmp_path / "text.zip"), "--project", "colours")


def test_create_makes_the_project(project, tmp_path) -> None:  # type: ignore[no-untyped-def]
    folder = write(tmp_path / "more", coloured_pictures(1))
    call_command("import_dataset", str(folder), "--project", "more-colours", "--create", "More colours")
    assert Sample.objects.filter(project__slug="more-colours").count() == 3


# Layouts


def picture_files(*names: str) -> dict[str, bytes]:
    return {name: make_jpeg(seed) for seed, name in enumerate(names)}


DOUBTFUL = ("x/good/1.jpg", "x/bad/1.jpg", "y/good/1.jpg", "y/bad/1.jpg")


def test_dry_run_tells_the_plan_and_needs_no_project(tmp_path, capsys, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    names = ("train/cat/1.jpg", "train/dog/1.jpg", "test/1.jpg", "train/.DS_Store", "notes.txt")
    folder = write(tmp_path / "ds", picture_files(*names))
    with django_assert_num_queries(0):
        call_command("import_dataset", str(folder), "--dry-run", "--json")
    plan = json.loads(capsys.readouterr().out)
    assert set(plan) == {"classes", "splits", "unlabelled", "left_out", "questions"}
    assert plan["classes"] == {"cat": 1, "dog": 1}
    assert plan["splits"] == {"training": 2, "validation": 0, "test": 0}
    assert plan["unlabelled"] == 1
    assert sum(left["count"] for left in plan["left_out"]) == 2
    assert plan["questions"] == []


def test_doubtful_layout_is_refused_without_a_terminal(project, tmp_path) -> None:  # type: ignore[no-untyped-def]
    folder = write(tmp_path / "ds", picture_files(*DOUBTFUL))
    with pytest.raises(CommandError, match=r"--layout 'first'.*\n.*--layout 'last'"):
        call_command("import_dataset", str(folder), "--project", "colours")
    assert not project.uploads.exists()
    assert not Sample.objects.exists()


def test_doubtful_layout_is_taken_as_said(project, tmp_path) -> None:  # type: ignore[no-untyped-def]
    folder = write(tmp_path / "ds", picture_files(*DOUBTFUL))
    call_command("import_dataset", str(folder), "--project", "colours", "--layout", "last")
    assert set(project.classes.values_list("name", flat=True)) == {"good", "bad"}


@pytest.mark.parametrize(("answers", "classes"), [(["2"], {"good", "bad"}), (["9", "1"], {"x", "y"})])
def test_doubtful_layout_is_asked_about_at_a_terminal(project, tmp_path, monkeypatch, capsys, answers, classes) -> None:  # type: ignore[no-untyped-def]
    folder = write(tmp_path / "ds", picture_files(*DOUBTFUL))
    monkeypatch.setattr(import_dataset, "can_ask", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: answers.pop(0))
    call_command("import_dataset", str(folder), "--project", "colours")
    assert "Are the classes the outer folders" in capsys.readouterr().out
    assert set(project.classes.values_list("name", flat=True)) == classes


def test_no_answer_stores_nothing(project, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    folder = write(tmp_path / "ds", picture_files(*DOUBTFUL))
    monkeypatch.setattr(import_dataset, "can_ask", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: "")
    with pytest.raises(CommandError, match="Nothing was stored"):
        call_command("import_dataset", str(folder), "--project", "colours")
    assert not project.uploads.exists()


def test_bad_layout_and_nothing_to_store_are_sentences(project, tmp_path) -> None:  # type: ignore[no-untyped-def]
    folder = write(tmp_path / "ds", {"cat/1.jpg": b"text", "cat/notes.txt": b"text"})
    with pytest.raises(CommandError, match=r"no layout\. Use auto"):
        call_command("import_dataset", str(folder), "--project", "colours", "--layout", "nonsense")
    with pytest.raises(CommandError, match="No picture could be brought in"):
        call_command("import_dataset", str(folder), "--project", "colours")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="no pictures in it"):
        call_command("import_dataset", str(tmp_path / "empty"), "--project", "colours")


def test_pipe_is_refused_at_once(project, tmp_path) -> None:  # type: ignore[no-untyped-def]
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CommandError, match="neither a folder nor an ordinary file"):
        call_command("import_dataset", str(tmp_path / "pipe"), "--project", "colours")


def test_project_in_the_trash_is_left_alone(project, tmp_path) -> None:  # type: ignore[no-untyped-def]
    trash.delete_project(project)
    for more in ([], ["--create", "Colours"]):
        with pytest.raises(CommandError, match="in the trash"):
            call_command("import_dataset", str(tmp_path), "--project", "colours", *more)
