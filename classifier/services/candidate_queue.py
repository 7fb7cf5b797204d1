"""changes of pictures and labels -> the job that trains a candidate, once they rest."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from classifier.jobs.kinds import CANDIDATE
from classifier.jobs.lifecycle import cancel_job
from classifier.jobs.sending import put_off, queue_job
from classifier.models import Job, Project
from classifier.prepared import PreparedQuery

IS_UP_TO_DATE = PreparedQuery(lambda pk: Project.objects.filter(pk=pk, up_to_date=True).values_list("pk"), int)
REST = timedelta(seconds=5)  # without another change


def train_soon(project: Project) -> None:
    """Train a candidate once the project rests, if it is always up to date; each further change begins the rest anew.

    One that is being trained is of pictures that have changed, and stops.
    """
    transaction.on_commit(lambda: _queue(project))


def _queue(project: Project) -> None:
    if not IS_UP_TO_DATE.rows(project.pk):
        return
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # two changes at once must not queue two
        when, waits = _end_of_rest(), False
        for job in list_open(project):
            waits = put_off(job, when) or (cancel_job(job) and waits)
        if not waits:
            project.jobs.filter(kind=CANDIDATE.name).exclude(status__in=Job.OPEN).delete()  # nobody looks at them
            queue_job(CANDIDATE, project=project, by=project.owner, not_before=when)


def _end_of_rest() -> datetime:
    """Return a whole second, so that a hundred changes in one send a worker one message."""
    return (timezone.now() + REST + timedelta(seconds=0.5)).replace(microsecond=0)


def list_open(project: Project) -> list[Job]:
    """List the jobs that train a candidate, while they have not ended: usually one."""
    return list(project.jobs.filter(kind=CANDIDATE.name, status__in=Job.OPEN))


def cancel_open(project: Project) -> None:
    """Train no candidate any more."""
    for job in list_open(project):
        cancel_job(job)
