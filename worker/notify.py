"""Send the mails that visitors have asked for, and what people and programs are to be told of jobs."""

from functools import partial

from classifier.jobs import lifecycle
from classifier.models import Job
from classifier.services import notices, requested_mails


def notify(job: Job) -> None:
    """Send what is due; what could not be sent is due again later."""
    alive = partial(lifecycle.beat, job)
    requested_mails.send_due(alive)
    notices.send_due(alive)
    lifecycle.finish_job(job)
