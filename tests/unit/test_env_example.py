"""`.env.example` and poetsweb/env.py tell of the same variables, with the same defaults."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from poetsweb.env import Environment

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"^#([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
EXAMPLE = (ROOT / ".env.example").read_text()
OF_THE_MACHINE = {"POETSWEB_DATA"}  # the others that depend on it have no default there


def as_written(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case list():
            return ",".join(default)
        case _:
            return str(default)


def test_settings_read_the_environment_through_env_alone() -> None:
    source = (ROOT / "poetsweb/settings.py").read_text()
    assert "os.environ" not in source
    assert "getenv" not in source


def test_example_and_environment_name_the_same_variables() -> None:
    names = [name for name, _ in LINE.findall(EXAMPLE)]
    assert len(names) == len(set(names)), "one of them is there twice"
    assert set(names) == set(Environment.model_fields)


def test_example_sets_nothing() -> None:
    """Change nothing if it is copied as it is."""
    assert all(line.startswith("#") for line in EXAMPLE.splitlines() if line.strip())


@pytest.mark.parametrize(("name", "value"), LINE.findall(EXAMPLE))
def test_example_shows_the_default(name: str, value: str) -> None:
    if name in OF_THE_MACHINE:
        assert value == "", "a default that depends on the machine is not written as if it did not"
    else:
        assert value == as_written(Environment.model_fields[name].default)


def test_every_variable_has_a_comment() -> None:
    for above, line in pairwise(EXAMPLE.splitlines()):
        if LINE.match(line):
            assert above.startswith("# "), f"{line} has no comment"


def test_example_with_every_line_taken_in_is_accepted(tmp_path: Path) -> None:
    taken = dict(LINE.findall(EXAMPLE))
    environment = {**os.environ, **taken, "POETSWEB_DATA": str(tmp_path)}
    code = "import poetsweb.settings as s; print(s.PORT, s.DEBUG, s.MAX_CLASSIFY_FILES, *s.ALLOWED_HOSTS)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["8000", "False", "100", "localhost", "127.0.0.1", "[::1]"], done.stderr
