import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from classifier.jobs.recovery import Reaper
from classifier.outages import find_outage
from classifier.scratch import delete_old_scratch
from classifier.services.audit_log import delete_old_entries
from classifier.services.backbone_trash import purge_expired_backbones
from classifier.services.checkpoints import delete_old_checkpoints
from classifier.services.closing import purge_expired_accounts
from classifier.services.domain_sign_up import delete_old_sign_ups
from classifier.services.leavers import follow_directory
from classifier.services.mail_requests import look_after_requests
from classifier.services.notices import tell_ends
from classifier.services.project_files.offering import delete_old_project_files
from classifier.services.purged_pictures import sweep_purged
from classifier.services.purging import purge_expired
from classifier.services.resumable import tend_partial_uploads
from classifier.services.sessions import delete_expired_sessions
from classifier.services.shards import tend_shards
from classifier.services.uploads import delete_read_archives
from classifier.workers import record_reaper
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
            *(delete_old_checkpoints, delete_old_scratch, purge_expired, purge_expired_accounts),
            *(sweep_purged, purge_expired_backbones, look_after_requests, delete_old_sign_ups),
            *(delete_old_entries, delete_expired_sessions, delete_old_project_files, tell_ends, tend_shards),
            follow_directory,
        )
        while not stop.wait(EVERY_SECONDS):
            troubles = [duty.__name__ for duty in duties if not _do(duty)]
            _do(partial(record_reaper, troubles), name="record_reaper")
        if is_orphan():  # then nobody else is left to do it
            end_leftover()


def _do(duty: Callable[[], None], *, name: str = "") -> bool:
    """Do one duty, and return whether it could be done.

    Nothing that is away or wrong may end the reaper, or keep it from the other duties.
    """
    try:
        duty()
        return True
    except Exception as error:
        name = name or duty.__name__
        if find_outage(error):
            log.warning("reaper_waits", duty=name, error=str(error))
        else:
            log.exception("reaper_failed", duty=name)
        close_old_connections()
        return False
