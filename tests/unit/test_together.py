"""Programs that run side by side, and what is left when the one that runs them is killed."""

import subprocess
import sys

import psutil
import pytest

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
