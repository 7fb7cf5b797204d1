"""The passwords of containers are made once, and nobody's running site is locked out of its database."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from poetsweb.passwords import FORMER, write_passwords

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "passwords"
    found.mkdir()
    return found


def password_of(folder: Path) -> str:
    return (folder / "postgres_password").read_text()


def test_each_site_has_passwords_of_its_own(tmp_path: Path, data: Path) -> None:
    found = set()
    for name in ("one", "two"):
        assert write_passwords(tmp_path / name, data) is False
        found |= {password_of(tmp_path / name), (tmp_path / name / "redis_url").read_text()}
    assert len(found) == 4
    assert all(len(password) >= 40 for password in found)


def test_they_are_made_once(folder: Path, data: Path) -> None:
    write_passwords(folder, data)
    before = {path.name: path.read_text() for path in folder.iterdir()}
    (data / "secret_key").write_text("made meanwhile")
    assert write_passwords(folder, data, database="other") is False
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_a_start_that_was_interrupted_makes_them_anew(folder: Path, data: Path) -> None:
    (folder / "postgres_password").write_text("half")
    write_passwords(folder, data)
    assert password_of(folder) != "half"
    assert password_of(folder) in (folder / "database_url").read_text()


def test_a_site_that_is_older_keeps_the_password_of_its_database(folder: Path, data: Path) -> None:
    (data / "secret_key").write_text("since last year")
    assert write_passwords(folder, data) is True
    assert password_of(folder) == FORMER


def test_the_operators_choice_is_taken(folder: Path, data: Path) -> None:
    (data / "secret_key").write_text("since last year")
    assert write_passwords(folder, data, database="chosen1") is False
    assert "poetsweb:chosen1@" in (folder / "database_url").read_text()


def run(folder: Path, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "poetsweb.passwords", str(folder)]
    env = {"PATH": os.environ["PATH"], "POETSWEB_DATA": str(data), **environment}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_the_command_tells_of_a_former_password_and_shows_none(folder: Path, data: Path) -> None:
    (data / "secret_key").touch()
    found = run(folder, data)
    assert found.returncode == 0
    assert "docs/installing.md" in found.stderr


def test_the_command_lets_other_services_read_its_files(folder: Path, data: Path) -> None:
    assert run(folder, data).returncode == 0
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}


def test_other_services_reach_the_files_in_a_volume_that_only_its_owner_could_enter(folder: Path, data: Path) -> None:
    folder.chmod(0o770)
    assert run(folder, data).returncode == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o775


@pytest.mark.parametrize("password", ["with space", "a@b", "ä", "x/y"])
def test_a_password_that_would_break_the_address_is_refused(folder: Path, data: Path, password: str) -> None:
    found = run(folder, data, POSTGRES_PASSWORD=password)
    assert found.returncode == 1
    assert "letters and digits" in found.stderr
    assert password not in found.stderr
    assert not list(folder.iterdir())
