"""Test what happens to strangers' networks where the kernel has no Landlock, here because a filter hides it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ml.sandbox.confine import missing_protections, say_unconfined, why_unconfined
from ml.sandbox.seccomp import can_restrict_calls

ROOT = Path(__file__).parents[4]
REASON = say_unconfined(["opening any file"])
# What the calls of Landlock answer on an older kernel, for this process and those it starts.
WITHOUT_LANDLOCK = """
import ctypes, struct
from ml.sandbox import seccomp
lines = [seccomp._line(seccomp._LOAD, seccomp._NUMBER_AT)]
for number in (444, 445, 446):
    lines += seccomp._case(number, [seccomp._line(seccomp._RETURN, seccomp._MISSING)])
program = b"".join([*lines, seccomp._line(seccomp._RETURN, seccomp._ALLOW)])
buffer = ctypes.create_string_buffer(program, len(program))
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer)), 0, 0) == 0
"""
TRIES = """
import json, sys, tempfile
from dataclasses import replace
from pathlib import Path
import numpy as np
from ml.backbones.registry import get_backbone
from ml.backbones.spec import Origin
from ml.engines.confined import ConfinedEngine, in_litert
from ml.engines.litert import AS_IT_IS
from ml.errors import UserError
from ml.exports import run
from ml.model_import.opening import fetch, open_network
from ml.model_import.program import Request
from ml.sandbox.confine import missing_protections
from ml.settings import MLSettings

unconfined, folder, picture = json.loads(sys.argv[1]), Path(sys.argv[2]), np.zeros((1, 8, 8, 3), np.uint8)
file = folder / "network.tflite"
file.write_bytes(b"no network")
settings = MLSettings(folder, folder, unconfined_networks=unconfined)
strange = replace(get_backbone("testing", settings), origin=Origin.UPLOADED)

def said(action):
    try:
        action(Path(tempfile.mkdtemp(dir=folder)))
    except UserError as error:
        return str(error)

def opens(scratch):
    open_network(file, scratch, Request(), title="t", source="s", unconfined=unconfined)

def fetches(scratch):
    fetch("https://localhost/x", scratch, allow_private=False, alive=lambda: None, report=print, unconfined=unconfined)

def answers(scratch):
    how = in_litert(1, AS_IT_IS)
    ConfinedEngine(file, how, input_size=8, features=1, unconfined=strange.may_run_unconfined).embed(picture)

def exports(scratch):
    run.build_hub_backbone(strange, scratch, lambda: None)

print(json.dumps([missing_protections(), *map(said, (opens, fetches, answers, exports))]))
"""


@pytest.mark.skipif(not can_restrict_calls() or bool(missing_protections()), reason="nothing can be hidden here")
@pytest.mark.parametrize("allowed", [False, True])
def test_networks_run_only_where_they_are_confined_or_allowed(allowed: bool, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_LANDLOCK + TRIES, json.dumps(allowed), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    missing, *said = json.loads(done.stdout.splitlines()[-1])
    assert missing == ["opening any file"]
    assert [reason == REASON for reason in said] == [not allowed] * 4, said


def test_only_its_own_statuses_say_that_a_program_was_not_confined() -> None:
    assert [status for status in (None, *range(-64, 256)) if why_unconfined(status)] == [65, 66, 67]
    assert "opening any file and connecting to other programs" in why_unconfined(67)
