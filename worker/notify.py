"""Send what people and programs are to be told of jobs that have ended."""

from functools import partial

from classifier.jobs import lifecycle
from classifier.models import Job
from classifier.services import notices


def notify(job: Job) -> None:
    """Send what is due; what could not be sent is due again later."""
    notices.send_due(partial(lifecycle.beat, job))
    lifecycle.finish_job(job)
