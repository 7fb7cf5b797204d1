"""What people want of a job that runs, that it stops with what it has reached or ends, and how its worker finds out."""

from django.utils import timezone

from classifier.jobs.kinds import KINDS
from classifier.jobs.log import write_line
from classifier.models import Job


def can_stop(job: Job) -> bool:
    """Return whether the job can end now with what it has reached."""
    stage = next((one for one in KINDS[job.kind].stages if one.name == job.stage), None)
    running = job.status == Job.Status.RUNNING and bool(job.lease)
    return running and stage is not None and stage.can_stop(job.config) and not is_asked_to_stop(job)


def is_asked_to_stop(job: Job) -> bool:
    """Return whether somebody has asked since the current stage began."""
    asked, begun = job.stop_asked_at, job.stage_started_at
    return asked is not None and begun is not None and asked >= begun


def ask_to_stop(job: Job) -> bool:
    """Let a job end its stage with the best it has reached. Return False where it cannot, or not any more."""
    if not can_stop(job):
        return False
    running = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, stage=job.stage)
    if running.update(stop_asked_at=timezone.now()) != 1:
        return False
    write_line(job, "Asked to stop now and to keep the best so far.")
    return True


def look_for_wishes(job: Job) -> bool:
    """Note on the job at hand whether it is asked to stop; return whether somebody has ended it. For its worker."""
    row = Job.objects.filter(pk=job.pk).values_list("status", "stop_asked_at").first()
    if row is None:
        return True
    job.stop_asked_at = row[1]
    return row[0] in (Job.Status.CANCELLED, Job.Status.FAILED)
