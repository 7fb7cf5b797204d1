"""What the open pages of jobs ask for every other second: whether anything has changed, and the few figures that have.

Two hundred open pages must cost next to nothing, so this is answered before sessions, users and forms are looked at. A
page carries a ticket, signed when it was made for somebody who may see its jobs; it is good for an hour, then the page
asks for a new one in the usual way. The database is asked once a second for all pages of a process.
"""

import json
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.core import signing
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from classifier.jobs.progress import Progress, job_progress
from classifier.models import Job

PREFIX = "/live/"
SALT = "live jobs"
TICKET_SECONDS = 3600
SNAPSHOT_SECONDS = 1.0
SECONDS_MOVING = 2.0  # after which the figures of a job that runs are sent anew
MOST_JOBS = 60  # of a page
ENDED = "ended"
STAMPED = ("status", "stage", "waits_for", "worker", "attempts", "stop_asked_at", "lease")
LIGHT = ("pk", "done", "total", "progress_at", *STAMPED)


def make_ticket(jobs: Iterable[Job]) -> str:
    """Return what lets a page ask for these jobs, of those that have not ended; empty where there is none."""
    pks = [str(job.pk) for job in jobs if job.is_open][:MOST_JOBS]
    return signing.TimestampSigner(salt=SALT).sign(".".join(pks)) if pks else ""


@lru_cache(maxsize=4096)
def _read_ticket(ticket: str) -> tuple[tuple[int, ...], float] | None:
    """Return the jobs of a ticket and when it ends, by the clock; None if we did not make it."""
    try:
        value = signing.TimestampSigner(salt=SALT).unsign(ticket)
    except signing.BadSignature:
        return None
    made = signing.b62_decode(ticket.split(":")[-2])
    return tuple(int(pk) for pk in value.split(".")), made + TICKET_SECONDS


def stamp(job: Job) -> str:
    """Return what changes when the page has to show something else than other figures."""
    return _stamp([getattr(job, name) for name in STAMPED]) if job.is_open else ENDED


def _stamp(values: list[Any]) -> str:
    *shown, lease = values
    return "|".join(str(value or "") for value in [*shown, bool(lease)])


@dataclass
class _Snapshot:
    """What the database said last about all open jobs, and the figures that were asked for since."""

    taken: float = -SNAPSHOT_SECONDS
    rows: dict[int, tuple[str, str]] = field(default_factory=dict)  # stamp and version by job
    figures: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)  # with their version, by job
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> dict[int, tuple[str, str]]:
        with self.lock:
            if time.monotonic() - self.taken >= SNAPSHOT_SECONDS:
                rows = Job.objects.filter(status__in=Job.OPEN, parent=None, background=False)
                self.rows = {pk: _describe(*rest) for pk, *rest in rows.values_list(*LIGHT)}
                self.figures = {pk: value for pk, value in self.figures.items() if pk in self.rows}
                self.taken = time.monotonic()
            return self.rows

    def figures_of(self, pk: int, version: str) -> dict[str, Any]:
        known, figures = self.figures.get(pk, ("", {}))
        if known != version:
            job = Job.objects.defer("curve", "result", "error_detail").get(pk=pk)
            figures = describe_figures(job_progress(job))
            self.figures[pk] = version, figures
        return figures


def _describe(done: int, total: int, progress_at: Any, status: str, *stamped: Any) -> tuple[str, str]:
    """Return the stamp and the version of a job: that of one that runs changes with time, as what is left does."""
    shown = _stamp([status, *stamped])
    moving = int(time.time() / SECONDS_MOVING) if status == Job.Status.RUNNING else 0
    return shown, f"{zlib.crc32(repr((shown, done, total, progress_at, moving)).encode()):x}"


_snapshot = _Snapshot()


def describe_figures(progress: Progress) -> dict[str, Any]:
    """Return the figures of a bar that change from second to second."""
    return {
        "percent": round(100 * progress.fraction, 1),
        "counts": describe_counts(progress),
        "eta": None if progress.eta is None else round(progress.eta, 1),
        "late": None if progress.late_by is None else round(progress.late_by, 1),
    }


def describe_counts(progress: Progress) -> str:
    """Say how much is done, and how fast it goes; nothing for a stage that counts nothing."""
    if not progress.unit or not (progress.total or progress.done):
        return ""
    if not progress.total:
        return f"{progress.done:,} {progress.unit} so far"
    speed = f" · {_rate(progress.rate)} {progress.unit} per second" if progress.rate else ""
    return f"{progress.done:,} of {progress.total:,} {progress.unit}{speed}"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def answer_polls(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return get_response(request)
        request.get_host()  # raises for one that is not ours
        ticket = _read_ticket(request.path_info[len(PREFIX) :])
        if ticket is None or ticket[1] < time.time():
            return HttpResponse(status=410)  # the page asks for itself again, and who may not see it finds out there
        try:
            return _answer(ticket[0], request.META.get("QUERY_STRING", ""))
        except DatabaseError:
            return HttpResponse(status=503)

    return middleware


def _answer(pks: tuple[int, ...], known: str) -> HttpResponse:
    rows = _snapshot.look()
    seen = {pk: rows.get(pk, (ENDED, ENDED)) for pk in pks}
    version = "-".join(version for _, version in seen.values())
    if version == known:
        return HttpResponse(status=204)
    jobs = [{"job": pk, "stamp": shown, **_figures(pk, made)} for pk, (shown, made) in seen.items()]
    return HttpResponse(json.dumps({"version": version, "jobs": jobs}), content_type="application/json")


def _figures(pk: int, version: str) -> dict[str, Any]:
    try:
        return {} if version == ENDED else _snapshot.figures_of(pk, version)
    except Job.DoesNotExist:  # deleted meanwhile
        return {}
