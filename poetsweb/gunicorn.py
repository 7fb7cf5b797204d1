"""Configure gunicorn: a process for each core, threads for slow uploads, and connections that are kept open."""

import logging
import os
import pkgutil
from dataclasses import replace
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poetsweb.settings")

from poetsweb.shared_metrics import make_folder

os.environ["PROMETHEUS_MULTIPROC_DIR"] = make_folder()  # before anything counts

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connections
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger

from ml.serving.client import RemoteInference
from ml.serving.current import use_inference
from ml.serving.servers import ServerPool
from poetsweb.env import ENVIRONMENT
from poetsweb.folders import PRIVATE_UMASK
from poetsweb.listeners import drop_before_closing
from poetsweb.logs import hide_secrets, make_formatter


class SecretiveLogger(Logger):  # type: ignore[misc] # its package has no types
    """A logger that removes keys: gunicorn logs whole addresses, and those of /hub/ may contain keys."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.addFilter(_hide)
            for handler in log.handlers if ENVIRONMENT.LOG_JSON else ():
                handler.setFormatter(make_formatter(settings.LOGGING))


def _hide(record: logging.LogRecord) -> bool:
    record.msg, record.args = hide_secrets(record.getMessage()), ()
    return True


os.umask(PRIVATE_UMASK)
REQUEST_WAIT_SECONDS = 8  # a request that waits longer for another writer, or the database, is asked to come again

settings.IMAGE_LIMITS = replace(settings.IMAGE_LIMITS, wait_seconds=REQUEST_WAIT_SECONDS)
_options = settings.DATABASES["default"]["OPTIONS"]
_options["timeout" if "timeout" in _options else "answer_seconds"] = REQUEST_WAIT_SECONDS


def when_ready(server: Arbiter) -> None:
    """Log the code for the first administrator, where it is needed, before there are processes that answer."""
    try:
        difference = pkgutil.resolve_name("classifier.schema:explain_difference")()
        if difference:
            raise SystemExit(f"PoetsWeb cannot start: {difference}")
        call_command("set_up_code", verbosity=0)
    except DatabaseError as error:
        server.log.error("The database does not answer: %s", error)
    finally:
        connections.close_all()  # the processes that are forked now must not share it
    for listener in server.LISTENERS:
        drop_before_closing(listener)


_pool = ServerPool.make()


def post_fork(server: Arbiter, worker: Any) -> None:
    """Let each web process keep its share of the inference servers, and ask any of them."""
    use_inference(RemoteInference(_pool.asking, _pool.busy))
    each = -(-settings.PREDICT_THREADS // settings.WEB_WORKERS)
    for place in range(each):
        _pool.keep_server(
            worker.age * each + place, threads=settings.PREDICT_THREADS, backbones=settings.ML.backbones_dir
        )


secure_scheme_headers: dict[str, str] = {}  # whom to believe is decided in classifier.proxies
bind = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else f"{settings.HOST}:{settings.PORT}"
worker_class = "poetsweb.web_worker.BufferingWorker"
workers = settings.WEB_WORKERS
threads = settings.WEB_THREADS
keepalive = 30
timeout = 120  # seconds without a sign of life from a worker process, which slow uploads do not prevent
graceful_timeout = 10
preload_app = True
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - gunicorn's heartbeat file
loglevel = "warning"
logger_class = SecretiveLogger
control_socket_disable = True
