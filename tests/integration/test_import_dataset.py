"""The command line: pictures from a folder or an archive, without any server."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from classifier.models import Sample, UploadItem
from classifier.services.projects import create_project
from tests.datasets import coloured_pictures, make_tgz

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
