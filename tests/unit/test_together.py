"""Programs that run side by side, and what is left when the one that runs them is killed."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from poetsweb.together import FAILED, _Manager
from tests.site import ROOT

LOUD = "import time; print(*('x' * 99 for _ in range(20_000)), sep=chr(10), flush=True); time.sleep(3)"
RUN = f"""
import sys
from poetsweb.together import run_together
run_together({{"loud": [sys.executable, "-c", {LOUD!r}]}})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere the relays are started in another way.")
def test_relay_ends_although_nobody_reads_what_it_passes_on() -> None:
    runner = subprocess.Popen([sys.executable, "-c", RUN], cwd=ROOT, stdout=subprocess.PIPE)
    assert runner.stdout is not None
    runner.stdout.readline()  # now it has started all
    relays = psutil.Process(runner.pid).children()
    runner.kill()
    runner.stdout.close()
    runner.wait()
    _, alive = psutil.wait_procs(relays, timeout=15)
    assert len(relays) == 1
    assert not alive


class Told(dict[str, Any]):
    """What a manager knows of a program whose relay has died."""

    def __init__(self, **known: Any) -> None:
        super().__init__(process=SimpleNamespace(is_alive=lambda: False), **known)


@pytest.mark.parametrize("known", [{}, {"pid": 4711}], ids=["before it told of its start", "later"])
def test_death_of_a_relay_ends_all(known: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    manager = _Manager()
    manager._processes["dead"] = Told(**known)
    ended: list[int] = []
    monkeypatch.setattr(manager._procmgr, "terminate", ended.append)
    assert manager._all_started()
    assert manager._any_stopped()
    assert manager._all_stopped()
    assert manager.returncode == FAILED
    assert ended == list(known.values())
