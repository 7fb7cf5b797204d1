import signal
import threading
from collections.abc import Callable
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from classifier.jobs.recovery import Reaper
from classifier.outages import find_outage
from classifier.scratch import delete_old_scratch
from classifier.services.checkpoints import delete_old_checkpoints
from classifier.services.resumable import tend_partial_uploads
from classifier.services.uploads import delete_read_archives
from poetsweb.broker import end_leftover
from poetsweb.instance import is_orphan

log = structlog.get_logger(__name__)
EVERY_SECONDS = 3.0


class Command(BaseCommand):
    help = "Watch over the jobs: pass on the work of dead workers, and send again what the broker lost."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        duties = (
            *(Reaper().recover_jobs, delete_read_archives, tend_partial_uploads),
            *(delete_old_checkpoints, delete_old_scratch),
        )
        while not stop.wait(EVERY_SECONDS):
            for duty in duties:
                _do(duty)
        if is_orphan():  # then nobody else is left to do it
            end_leftover()


def _do(duty: Callable[[], None]) -> None:
    """Do one duty. Nothing that is away or wrong may end the reaper, or keep it from the other duties."""
    try:
        duty()
    except Exception as error:
        if find_outage(error):
            log.warning("reaper_waits", duty=duty.__name__, error=str(error))
        else:
            log.exception("reaper_failed", duty=duty.__name__)
        close_old_connections()
