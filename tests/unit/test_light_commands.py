"""Commands that begin without the site's settings end as Django's do, and know nothing of the database."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.site import ROOT


def run(tmp_path: Path, *arguments: str, program: tuple[str, ...] = (str(ROOT / "manage.py"),)) -> tuple[int, str]:
    """Return the exit status and what was said of an error."""
    environment = {"POETSWEB_DATA": str(tmp_path / "data"), "PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, *program, *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", ["label_image", "evaluate", "retrain --image_dir=photos"])
def test_wrong_flag_says_how_the_command_is_used(command: str, tmp_path: Path) -> None:
    status, said = run(tmp_path, *command.split(), "--nonsense")
    assert status == 2
    assert said.startswith("usage: ")
    assert "--nonsense" in said
    assert "Traceback" not in said


def test_error_is_one_sentence(tmp_path: Path) -> None:
    status, said = run(tmp_path, "label_image", "--graph=none.pb", "--labels=none.txt", "photo.jpg")
    assert (status, said) == (1, "CommandError: There is no graph none.pb.\n")


def test_traceback_is_shown_to_whoever_asks(tmp_path: Path) -> None:
    given = ("--graph=none.pb", "--labels=none.txt", "photo.jpg", "--traceback")
    status, said = run(tmp_path, "label_image", *given)
    assert status == 1
    assert said.startswith("Traceback")


def test_settings_of_the_site_are_not_read(tmp_path: Path) -> None:
    look = (
        "import atexit, os, sys; sys.path.insert(0, sys.argv.pop(1)); import manage;"
        "os._exit = lambda status: sys.exit(9 if 'poetsweb.settings' in sys.modules else 0); manage.main()"
    )
    arguments = (str(ROOT), "label_image", "--graph=none.pb", "--labels=none.txt", "photo.jpg")
    assert run(tmp_path, *arguments, program=("-c", look))[0] == 0
