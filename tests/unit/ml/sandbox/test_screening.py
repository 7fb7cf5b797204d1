"""Test that operations on files are found even where only loading or answering would run them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ml.model_import.program import REFUSED
from tests.hostile_networks import make_hostile_networks
from tests.site import ROOT

pytestmark = pytest.mark.slow

HIDDEN = {
    "maps.pb": "ImmutableConst",
    "branch.pb": "ImmutableConst",
    "dumps.pb": "DumpTensor",
    "shadow.pb": "ReadFile",
    "uncalled.pb": "ReadFile",
    "restores": "WriteFile",
    "saves": "SaveV2",
}

# One process opens them all, as the program does that opens one: TensorFlow is loaded once. It is not confined, so what
# is not refused would be done.
OPEN = """
import contextlib, io, json, sys
from pathlib import Path
from ml.model_import.program import main
folder, said = Path(sys.argv[1]), {}
for name in sys.argv[2:]:
    out = folder.parent / f"out-{name}"
    out.mkdir()
    (out / "request.json").write_text("{}")
    with contextlib.redirect_stderr(io.StringIO()) as stderr, contextlib.redirect_stdout(io.StringIO()):
        status = main(["open", str(folder / name), str(out), str(out / "request.json")])
    said[name] = [status, stderr.getvalue()]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def hostile_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "networks"
    make_hostile_networks(folder)
    return folder


@pytest.fixture(scope="module")
def refusals(hostile_networks: Path) -> dict[str, tuple[int, str]]:
    """Return (status, sentence) for each."""
    command = [sys.executable, "-c", OPEN, str(hostile_networks), *HIDDEN]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: (status, sentence) for name, (status, sentence) in json.loads(done.stdout).items()}


@pytest.mark.parametrize(("name", "operation"), HIDDEN.items())
def test_hidden_operation_is_refused_by_name(
    name: str, operation: str, refusals: dict[str, tuple[int, str]], hostile_networks: Path
) -> None:
    status, sentence = refusals[name]
    assert status == REFUSED
    assert f"operation '{operation}'" in sentence
    assert not [path.name for path in hostile_networks.iterdir() if path.name.startswith("written")]
