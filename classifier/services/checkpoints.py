"""Where a long training stands, kept beside the pictures so that any worker goes on from there."""

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from classifier.jobs.lifecycle import update_ended_state, update_state
from classifier.models import DatasetVersion, Job
from classifier.services.images import read_file
from classifier.services.model_versions import fingerprint
from ml.training.config import TrainConfig


def checkpoint_path(job: Job, dataset_version: DatasetVersion, config: TrainConfig) -> str:
    """Return a path for this job and what it trains: the job may continue after PoetsWeb was upgraded."""
    return f"checkpoints/{job.pk}-{fingerprint(dataset_version, config)[:16]}.npz"


def load_checkpoint(path: str) -> bytes | None:
    try:
        return read_file(path)
    except OSError:  # there is none yet, or the storage has lost it: then the work begins anew
        return None


def keep_checkpoint(job: Job, path: str, data: bytes) -> None:
    """Store a checkpoint in place of the one before. Raise LeaseLost."""
    update_state(job, checkpoint=path)
    default_storage.save(path, ContentFile(data))


def delete_old_checkpoints() -> None:
    """Delete the checkpoints of jobs that have ended. For the reaper."""
    for job in Job.objects.filter(state__has_key="checkpoint").exclude(status__in=Job.OPEN)[:100]:
        default_storage.delete(job.state["checkpoint"])
        update_ended_state(job, checkpoint=None)
