"""Measure web_memory: the memory of a web process that serves a thousand projects, beside one that serves one."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bench.figures import Figure
from bench.load import classify_target
from bench.rows import write_live_versions
from bench.stage import Stage
from tests.site import ROOT, free_port

PROJECTS = 1000
REQUESTS = 200  # to the first project, after which all threads and interpreters exist
CLIENTS = 8
ALLOWED = 40.0  # MB
MB = 2**20


def web_memory(stage: Stage) -> Figure:
    """Measure the RSS as `ps` shows it; what is shared with the parent counts too, before and after alike."""
    slugs = write_live_versions(stage.user, PROJECTS)
    with _web_process(stage) as (port, process):
        photos = stage.photos[:CLIENTS]
        for share, asked in ((1, slugs[:1] * REQUESTS), (2, slugs)):
            stage.load.send_all(classify_target(port, asked, stage.client.key, photos), CLIENTS)
            if share == 1:
                before = process.memory_info().rss / MB
        after = process.memory_info().rss / MB
    target = f"value <= limit + {ALLOWED:.0f}"
    return Figure("web_memory", after, "MB", before, after / before, target, after - before <= ALLOWED)


@contextmanager
def _web_process(stage: Stage) -> Iterator[tuple[int, psutil.Process]]:
    """Start another web server on the same data with a single worker process, and yield its port and that process."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "poetsweb.wsgi", "-c", "python:poetsweb.gunicorn"]
    with stage.site.log.open("ab") as log:
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "WEB_WORKERS": "1", "PORT": str(port)},
            stdout=log,
            stderr=log,
        )
    try:
        yield port, _child_of(server)
    finally:
        server.terminate()
        server.wait(30)


def _child_of(server: "subprocess.Popen[bytes]") -> psutil.Process:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        if children := psutil.Process(server.pid).children():
            time.sleep(1)  # it exists before it listens
            return children[0]
        time.sleep(0.1)
    raise RuntimeError("The web server does not start.")
