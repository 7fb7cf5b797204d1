import signal
import threading
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from classifier.jobs.lifecycle import recover_jobs
from classifier.scratch import delete_old_scratch
from classifier.services.checkpoints import delete_old_checkpoints
from classifier.services.uploads import delete_read_archives

log = structlog.get_logger(__name__)
EVERY_SECONDS = 3.0


class Command(BaseCommand):
    help = "Watch over the jobs: pass on the work of dead workers, and send again what the broker lost."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.wait(EVERY_SECONDS):
            try:
                recover_jobs()
                delete_read_archives()
                delete_old_checkpoints()
                delete_old_scratch()
            except (DatabaseError, OSError) as error:
                log.warning("cannot_run_reaper", error=str(error))
                close_old_connections()
