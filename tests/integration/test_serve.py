"""Starting and stopping: one command, clear sentences, two copies side by side."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.processes import below, family, processes
from tests.site import ROOT, Site

pytestmark = pytest.mark.site


def manage(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    whole = {**os.environ, **env}
    return subprocess.run(command, cwd=ROOT, env=whole, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "eighty", "PORT='eighty' is not valid; write a whole number from 1 to 65535."),
        ("PORT", "70000", "PORT='70000' is not valid"),
        ("DEBUG", "maybe", "DEBUG='maybe' is not valid; write true or false."),
        ("DATABASE_URL", "mysql://x/y", "DATABASE_URL must begin with postgres://"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL must begin with redis://"),
        ("POETSWEB_BACKBONE", "resnet", "POETSWEB_BACKBONE='resnet' is not valid; write one of efficientnet_lite0"),
        ("POETSWEB_DATA", "/proc/nowhere", "the data folder /proc/nowhere cannot be used"),
        ("DATABASE_URL", "postgres://u:secret@h:abc/x", "DATABASE_URL has a port that is not a number."),
        ("REDIS_URL", "redis://localhost:abc", "REDIS_URL has a port that is not a number."),
        ("TIME_ZONE", "Mars/North", "TIME_ZONE='Mars/North' is not valid; write the name of a time zone"),
        ("MAX_IMAGE_MB", "-1", "MAX_IMAGE_MB='-1' is not valid"),
    ],
)
def test_wrong_value_is_one_sentence(name: str, value: str, sentence: str) -> None:
    result = manage("serve", **{name: value})
    assert result.returncode == 1
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_taken_port_is_one_sentence(data: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        result = manage("serve", PORT=str(port), POETSWEB_DATA=str(data))
    assert result.returncode == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in result.stderr
    assert "Traceback" not in result.stderr


def test_services_that_do_not_answer_are_one_sentence(data: Path) -> None:
    for name, value in (
        ("REDIS_URL", "redis://127.0.0.1:1/0"),
        ("DATABASE_URL", "postgres://nobody:secret@127.0.0.1:1/none"),
    ):
        result = manage("serve", POETSWEB_DATA=str(data), PORT="8", **{name: value, "HOST": "127.0.0.1"})
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
        assert "secret" not in result.stderr


def test_second_copy_on_the_same_data_is_refused(site: Site) -> None:
    result = site.manage("serve", check=False)
    assert result.returncode == 1
    assert site.process is not None
    assert f"PoetsWeb is already running (process {site.process.pid})" in result.stderr
    assert "make stop" in result.stderr
    other = manage("serve", POETSWEB_DATA=str(site.data), PORT="8999")
    assert other.returncode == 1
    assert "PoetsWeb is already running" in other.stderr


@pytest.fixture(scope="module")
def ending_site(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("ending") / "data", prepared=prepared, WEB_WORKERS="1", EMBED_WORKERS="1")
    yield site
    if site.process is not None:
        site.stop()


@pytest.fixture
def own_site(ending_site: Site) -> Site:
    """Give a running site that may be ended: the next test starts it again."""
    if ending_site.process is None or ending_site.process.poll() is not None:
        ending_site.start()
    return ending_site


def wait_for_the_end(ended: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(ended, timeout=40)
    left = [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert not left, [one.cmdline() for one in left]


def catches(process: psutil.Process, number: signal.Signals) -> bool:
    """Return whether the process has a handler of its own for the signal."""
    if sys.platform != "linux":
        return True
    caught = re.search(r"SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{process.pid}/status").read_text())
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_no_process_outlives_the_site(own_site: Site, number: signal.Signals) -> None:
    (reaper,) = own_site.wait(lambda: below(processes(own_site, "poetsweb.supervise", "run_reaper")))
    own_site.wait(lambda: catches(reaper, signal.SIGTERM))  # it ends Valkey, where the next start does not
    whole = family(own_site)
    assert len(whole) > 8
    whole[0].send_signal(number)  # the terminal was closed, or somebody killed it
    assert own_site.process is not None
    own_site.process.wait(40)
    wait_for_the_end(whole)
    own_site.start()  # and it starts again on the same data
    assert answers(own_site)


def test_stop_ends_the_copy_that_uses_the_data_folder(own_site: Site) -> None:
    whole = family(own_site)
    assert "has stopped" in own_site.manage("stop").stdout
    wait_for_the_end(whole)
    assert "is not running" in own_site.manage("stop").stdout


@pytest.mark.parametrize("whose", ["supervisor", "relay"])
def test_death_of_what_keeps_a_program_is_noticed(own_site: Site, whose: str) -> None:
    whole = family(own_site)
    (keeper,) = processes(own_site, "poetsweb.supervise", "worker@%h")
    relay = keeper.parent()  # passes on what it prints
    assert relay is not None
    (keeper if whose == "supervisor" else relay).kill()
    assert own_site.process is not None
    assert own_site.process.wait(40) != 0
    wait_for_the_end(whole)


def answers(site: Site) -> bool:
    try:
        with urllib.request.urlopen(f"{site.address}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_two_copies_side_by_side(site: Site, data: Path, prepared: Path) -> None:
    other = Site(data, prepared=prepared).start()
    try:
        neighbour = other.client("neighbour")
        slug = neighbour.ok("POST", "/projects", {"name": "Next door"})["slug"]
        mine = site.client("owner")
        assert slug not in [project["slug"] for project in mine.ok("GET", "/projects")]
        assert mine.call("GET", f"/projects/{slug}")[0] == 404
    finally:
        assert other.stop() == 0
    assert site.client("owner").call("GET", "/projects")[0] == 200
