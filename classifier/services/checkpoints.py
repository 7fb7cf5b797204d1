"""Where a long training stands, kept beside the pictures so that any worker goes on from there."""

from datetime import timedelta

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from classifier.jobs.lifecycle import beat
from classifier.jobs.reporting import report, update_state
from classifier.jobs.state import update_ended_state
from classifier.models import DatasetVersion, Job
from classifier.services.images import read_file
from classifier.services.model_versions import fingerprint
from ml.training.config import TrainConfig

KEPT_AFTER_FAILURE = timedelta(days=7)  # for the next job of the same content


def checkpoint_path(dataset_version: DatasetVersion, config: TrainConfig) -> str:
    """Return a path made from what is trained: a job that trains the same goes on where another one ended."""
    return f"checkpoints/{fingerprint(dataset_version, config)[:32]}.npz"


def reproduction_path(job: Job) -> str:
    """Return a path for this job alone, which begins anew and goes on only after a worker of its own has died."""
    return f"checkpoints/reproduction-{job.pk}.npz"


def load_checkpoint(path: str) -> bytes | None:
    try:
        return read_file(path)
    except FileNotFoundError:  # there is none yet, or the storage has lost it: then the work begins anew
        return None


def keep_checkpoint(job: Job, path: str, data: bytes, *, epochs: int) -> None:
    """Store a checkpoint after so many epochs in place of the one before. Raise LeaseLost."""
    beat(job)  # who has lost the lease must not write over what its successor stored
    default_storage.save(path, ContentFile(data))
    update_state(job, checkpoint=path)
    report(job, kept=epochs)


def delete_old_checkpoints() -> None:
    """Delete the checkpoints that no job goes on from. For the reaper."""
    kept_until = timezone.now() - KEPT_AFTER_FAILURE
    ended = Job.objects.filter(state__has_key="checkpoint").exclude(status__in=Job.OPEN)
    done = ended.filter(status=Job.Status.SUCCEEDED) | ended.filter(finished_at__lt=kept_until)
    for job in done[:100]:
        path = job.state["checkpoint"]
        users = Job.objects.filter(state__checkpoint=path)
        if job.status != Job.Status.SUCCEEDED:
            users = users.exclude(pk__in=done.values("pk"))
        else:
            users = users.filter(status__in=Job.OPEN)
        if not users.exists():
            default_storage.delete(path)
        update_ended_state(job, checkpoint=None)
