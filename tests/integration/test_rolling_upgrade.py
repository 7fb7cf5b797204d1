"""A site on several machines is restarted one process after the other, as for an upgrade, and nobody notices."""

import itertools
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.datasets import coloured_pictures, make_zip
from tests.nginx import NGINX
from tests.services import site_services
from tests.site import ROOT, Client, Site, free_port

# Requests to a web process that has ended go to the other one.
TWO_MACHINES = (
    NGINX
    + """
  upstream poetsweb {{ server 127.0.0.1:{first} fail_timeout=1s; server 127.0.0.1:{second} fail_timeout=1s; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://poetsweb;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      client_max_body_size 21g;
    }}
  }}
}}
"""
)
PROGRAMS = "/usr/sbin:/usr/bin:/bin:/usr/local/bin"

pytestmark = [
    pytest.mark.site,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        os.getuid() != 0 or not all(shutil.which(one, path=PROGRAMS) for one in ("nginx", "redis-server", "unshare")),
        reason="nginx, Redis and, for machines with names of their own, root are needed.",
    ),
]


class Machine(Site):
    """A machine of the site: a folder and a name of its own, and some of the roles."""

    def __init__(self, folder: Path, name: str, roles: str, backbones: Path, **env: str) -> None:
        super().__init__(folder / name, prepared=backbones.parent, WEB_WORKERS="1", EMBED_WORKERS="1", **env)
        if not env["S3_BUCKET"]:
            (folder / "files").mkdir(exist_ok=True)
            (self.data / "files").symlink_to(folder / "files")
        self.name, self.roles = name, roles
        named = f'hostname {name} && exec "$0" "$@"'
        self.command = ["unshare", "--uts", "sh", "-c", named, sys.executable, "manage.py", "serve", *roles.split()]

    def start(self) -> "Machine":
        if "web" in self.roles:
            super().start()
            return self
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        return self


@pytest.fixture
def services(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Give PostgreSQL, Redis and a bucket where CI has them; elsewhere SQLite, a Redis and a folder."""
    given = {**site_services(), "SECRET_KEY": "the-same-on-all-machines", "TRUSTED_PROXIES": "127.0.0.1"}
    if given["REDIS_URL"]:
        yield given
        return
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    yield {**given, "REDIS_URL": f"redis://127.0.0.1:{port}/0", "DATABASE_URL": f"sqlite:///{tmp_path}/shared.sqlite3"}
    redis.terminate()
    redis.wait(20)


@pytest.fixture
def machines(tmp_path: Path, tiny_backbone: Path, services: dict[str, str]) -> Iterator[dict[str, Machine]]:
    computing = "worker trainer opener reaper"
    roles = {"web-1": "web", "web-2": "web", "computing-1": computing, "computing-2": computing}
    found = {name: Machine(tmp_path, name, role, tiny_backbone, **services) for name, role in roles.items()}
    for machine in found.values():
        machine.start()
    yield found
    for machine in found.values():
        machine.stop()


@pytest.fixture
def proxied(machines: dict[str, Machine], tmp_path: Path) -> Iterator[Client]:
    """Run a proxy before the web machines, and give a client that goes through it."""
    port, config = free_port(), tmp_path / "nginx.conf"
    first, second = (machines[name].port for name in ("web-1", "web-2"))
    config.write_text(TWO_MACHINES.format(folder=tmp_path, port=port, first=first, second=second))
    nginx = subprocess.Popen(["nginx", "-c", config, "-p", tmp_path], env={"PATH": PROGRAMS}, stderr=subprocess.DEVNULL)
    client = machines["web-1"].client("owner")
    machines["web-1"].wait(lambda: answers(port), 30)
    through = Site.__new__(Site)
    through.__dict__ |= {**machines["web-1"].__dict__, "address": f"http://127.0.0.1:{port}"}
    yield Client(through, client.key)
    nginx.terminate()
    nginx.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Load:
    """What people do meanwhile: each of these again and again, in a thread of its own, until it is told to stop."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def repeat(self, name: str, once: Callable[[], Any]) -> None:
        self._threads.append(threading.Thread(target=self._repeat, args=(name, once)))
        self._threads[-1].start()

    def _repeat(self, name: str, once: Callable[[], Any]) -> None:
        while not self._stop.is_set():
            try:
                once()
                self.done[name] = self.done.get(name, 0) + 1
            except Exception as error:  # whatever it is, somebody would have seen it
                self.failed.append(f"{name}: {error!r}"[:300])
            time.sleep(0.05)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(120)


def test_nobody_notices_a_restart_of_every_machine(machines: dict[str, Machine], proxied: Client) -> None:
    slug = proxied.ok("POST", "/projects", {"name": "Colours"})["slug"]
    archive = make_zip(coloured_pictures(8))
    proxied.succeed(proxied.ok("POST", f"/projects/{slug}/uploads", {}, [("file", "colours.zip", archive)])["job"])
    proxied.succeed(proxied.ok("POST", f"/projects/{slug}/train", {})["job"])
    pictures = itertools.cycle(coloured_pictures(40, seed=77).items())
    seeds = itertools.count(1)
    question = [("image", "one.png", coloured_pictures(1, seed=9)["red/0.jpg"])]

    def add() -> None:
        name, data = next(pictures)
        proxied.ok("POST", f"/projects/{slug}/uploads", {"class": name.partition("/")[0]}, [("file", name, data)])

    def train() -> None:
        proxied.succeed(proxied.ok("POST", f"/projects/{slug}/train", {"seed": next(seeds)})["job"], 180)

    load = Load()
    load.repeat("classify", lambda: proxied.ok("POST", f"/projects/{slug}/classify", {}, question))
    load.repeat("look", lambda: proxied.ok("GET", f"/projects/{slug}"))
    load.repeat("add", add)
    load.repeat("train", train)
    try:
        for name in ("computing-1", "computing-2", "web-1", "web-2"):
            time.sleep(2)
            assert machines[name].stop() == 0, name
            machines[name].start()
            proxied.site.wait(lambda name=name: is_there(proxied, machines[name]), 60)
        time.sleep(3)
    finally:
        load.stop()
    assert load.failed == []
    assert set(load.done) == {"classify", "look", "add", "train"}
    assert min(load.done.values()) >= 3
    jobs = proxied.ok("GET", "/jobs")
    assert {job["status"] for job in jobs} == {"SUCCEEDED"}


def is_there(client: Client, machine: Machine) -> bool:
    """Return whether a machine does its work again."""
    if "web" in machine.roles:
        return answers(machine.port)
    return f"trainer@{machine.name}" in machine.manage("shell", "-c", LIVING, check=False).stdout


LIVING = "from classifier.workers import list_workers; print(*list_workers())"
