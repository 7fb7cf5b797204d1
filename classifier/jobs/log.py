"""The log of a job in plain words: what `classifier.jobs.lifecycle` does to it, and what workers have to say.

A part of a job writes to the log of the whole, and what is done in the background, which no page lists, to none.
"""

from collections.abc import Iterable, Iterator

from django.db import transaction
from django.utils import timezone

from classifier.models import Job, JobLogLine

MOST_LINES = 500  # of a job; then the oldest go, but for those of its beginning
KEPT_FIRST, DROPPED_AT_ONCE = 10, 50
LONGEST = 500
INFO, WARNING, ERROR = JobLogLine.Level.INFO, JobLogLine.Level.WARNING, JobLogLine.Level.ERROR


def write_line(job: Job, text: str, level: str = INFO) -> None:
    """Write a line to the log of a job; the same line again only renews the time of the last one."""
    if job.background:
        return
    whole = job.parent_id or job.pk
    text = " ".join(text.split())[:LONGEST]
    with transaction.atomic():
        last = JobLogLine.objects.filter(job=whole).last()
        if last is not None and (last.text, last.level) == (text, level):
            JobLogLine.objects.filter(pk=last.pk).update(at=timezone.now())
            return
        JobLogLine.objects.create(job_id=whole, level=level, text=text)
        if last is not None:
            _drop_old_lines(whole)


def _drop_old_lines(job: int) -> None:
    lines = JobLogLine.objects.filter(job=job)
    if lines.count() > MOST_LINES:
        old = list(lines.values_list("pk", flat=True)[KEPT_FIRST : KEPT_FIRST + DROPPED_AT_ONCE])
        JobLogLine.objects.filter(pk__in=old).delete()


def log_as_text(lines: Iterable[JobLogLine]) -> Iterator[str]:
    """Yield the lines of a log as those of a text file, with the time in UTC."""
    for line in lines:
        yield f"{line.at:%Y-%m-%d %H:%M:%S} {line.level.upper():7} {line.text}\n"
