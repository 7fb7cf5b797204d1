"""`.env.example` and settings.py tell of the same variables, with the same defaults."""

import ast
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from poetsweb import env

ROOT = Path(__file__).resolve().parents[2]
READERS = {"text", "boolean", "integer", "words", "folder", "choice", "time_zone", "address"}
LINE = re.compile(r"^#([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
EXAMPLE = (ROOT / ".env.example").read_text()
COMPUTED = object()
SOURCE = "\n".join((ROOT / f"poetsweb/{name}.py").read_text() for name in ("folders", "settings"))


def read_settings() -> dict[str, object]:
    """Variable -> its default where settings.py writes it as a constant, else COMPUTED."""
    found: dict[str, object] = {}
    for node in ast.walk(ast.parse(SOURCE)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("env"), attr=reader)) if reader in READERS:
                name = node.args[0]
                assert isinstance(name, ast.Constant), f"line {node.lineno}: write the variable's name out"
                assert name.value not in found, f"{name.value} is read twice"
                found[str(name.value)] = literal(node.args[1]) if len(node.args) > 1 else ""
    return found


def literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return COMPUTED


def as_written(default: object) -> str:
    match default:
        case bool():
            return str(default).lower()
        case list():
            return ",".join(default)
        case _:
            return str(default)


SETTINGS = read_settings()


NO_READERS = ("load_file", "read", "pass_on")


def test_every_reader_of_env_is_known() -> None:
    """A new reader in env.py must be named above, or its variables would be overlooked."""
    takes_a_name = {
        name
        for name, value in vars(env).items()
        if callable(value) and getattr(value, "__module__", "") == env.__name__ and name not in NO_READERS
    }
    assert takes_a_name - {"socket_folder"} == READERS


def test_settings_reads_the_environment_through_env_alone() -> None:
    source = (ROOT / "poetsweb/settings.py").read_text()
    assert "os.environ" not in source
    assert "getenv" not in source


def test_example_and_settings_name_the_same_variables() -> None:
    names = [name for name, _ in LINE.findall(EXAMPLE)]
    assert len(names) == len(set(names)), "one of them is there twice"
    assert set(names) == set(SETTINGS)


def test_example_sets_nothing() -> None:
    """Copied as it is, it changes nothing."""
    assert all(line.startswith("#") for line in EXAMPLE.splitlines() if line.strip())


@pytest.mark.parametrize(("name", "value"), LINE.findall(EXAMPLE))
def test_example_shows_the_default(name: str, value: str) -> None:
    default = SETTINGS[name]
    if name == "POETSWEB_BACKBONE":
        from ml.backbones.registry import DEFAULT_BACKBONE

        default = DEFAULT_BACKBONE
    if name == "FLOWERS_URL" or default is not COMPUTED:
        assert value == as_written(default)
    else:
        assert value == "", "a default that depends on the machine is not written as if it did not"


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
