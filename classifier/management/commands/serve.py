"""The whole site in one command: broker, worker, reaper and web server, started and stopped together."""

import contextlib
import os
import signal
import socket
import stat
import sys
import threading
import time
from typing import Any
from urllib.request import urlopen

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.utils import OperationalError

from ml.sandbox.confine import missing_protections
from poetsweb.broker import BrokerFailed, run_broker
from poetsweb.folders import PRIVATE_UMASK
from poetsweb.instance import AlreadyRunning, only_copy
from poetsweb.together import run_together

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
# Django's checks find mistakes of the code, for which there is `make check`. As they load every page, each program
# would take longer for them than for all else. What an operator may set wrongly is checked in poetsweb.settings.
UNCHECKED = {"CELERY_SKIP_CHECKS": "1"}
START_SECONDS = 60.0


class Command(BaseCommand):
    help = "Run PoetsWeb: database, Valkey (unless REDIS_URL is set), workers and web server. Ctrl-C stops everything."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "roles",
            nargs="*",
            metavar="role",
            help=f"only these of {', '.join(processes())}, on one of several machines",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = choose(options["roles"])
        os.umask(PRIVATE_UMASK)
        self.warn()
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))  # the terminal was closed
        try:
            with only_copy(settings.DATA_DIR):
                if "web" in chosen:
                    check_port(settings.HOST, settings.PORT)
                with run_broker():
                    prepare()
                    if "web" in chosen:
                        threading.Thread(target=self.announce, daemon=True).start()
                    sys.exit(run_together(chosen, UNCHECKED))
        except (AlreadyRunning, BrokerFailed) as error:
            raise CommandError(str(error)) from None

    def warn(self) -> None:
        """Tell what is less safe here than it could be."""
        if stat.S_IMODE(settings.DATA_DIR.stat().st_mode) & 0o077:
            self.stderr.write(f"Other users of this machine can enter the data folder {settings.DATA_DIR}.")
        missing = missing_protections()
        if missing:
            fate = "opened all the same" if settings.ML.unconfined_networks else "refused"
            self.stderr.write(
                f"This system cannot forbid a process {' and '.join(missing)}. Networks that people upload are {fate} "
                "(UNCONFINED_NETWORKS)."
            )

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


def choose(roles: list[str]) -> dict[str, list[str]]:
    """Return the commands of these roles by name, or all if none is named. Raise CommandError."""
    known = processes()
    if unknown := [role for role in roles if role not in known]:
        raise CommandError(f"There is no role “{unknown[0]}”; the roles are {', '.join(known)}.")
    if roles and not settings.REDIS_URL:
        raise CommandError("Some roles alone are for a site on several machines: set REDIS_URL and DATABASE_URL.")
    return {role: known[role] for role in known if role in roles or not roles}


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


def prepare() -> None:
    try:
        connection.ensure_connection()
    except OperationalError as error:
        raise CommandError(f"The database does not answer: {error}") from None
    call_command("prepare")
    connection.close()


def processes() -> dict[str, list[str]]:
    """Return the commands by name.

    Training has a process of its own, which keeps TensorFlow loaded for the next time; so has opening strangers' files,
    for which no training should wait.
    """
    keep = [sys.executable, "-m", "poetsweb.supervise"]
    return {
        "web": [*keep, sys.executable, "-m", "gunicorn", "poetsweb.wsgi", "-c", "python:poetsweb.gunicorn"],
        "worker": [*keep, *CELERY, "-n", "worker@%h", "-Q", "ingest,embed", "-c", str(settings.EMBED_WORKERS)],
        "trainer": [*keep, *CELERY, "-n", "trainer@%h", "-Q", "train", "-c", "1"],
        "opener": [*keep, *CELERY, "-n", "opener@%h", "-Q", "untrusted", "-c", "1"],
        "reaper": [*keep, sys.executable, "manage.py", "run_reaper", "--skip-checks"],
    }
