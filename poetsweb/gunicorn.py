"""gunicorn's settings: a process for each core, threads for slow uploads, connections kept open."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poetsweb.settings")

from django.conf import settings

bind = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else f"{settings.HOST}:{settings.PORT}"
worker_class = "gthread"
workers = settings.WEB_WORKERS
threads = settings.WEB_THREADS
keepalive = 30
timeout = 120  # of silence from a worker process; a slow upload does not silence it
graceful_timeout = 10
preload_app = True
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - gunicorn's heartbeat file
loglevel = "warning"
control_socket_disable = True
