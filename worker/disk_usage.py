"""Measure what takes room on the disk."""

from classifier.jobs import lifecycle
from classifier.models import Job
from classifier.services.disk_usage import measure_disk


def measure(job: Job) -> None:
    """Measure it. Who goes on with the job begins anew."""
    measure_disk()
    lifecycle.finish_job(job)
