"""What jobs know of themselves, for the code alone: read here, and written by whoever holds the lease (`reporting`)."""

from typing import Any

from pydantic import BaseModel, Field

from classifier.models import Job


class StoredFile(BaseModel, extra="forbid"):
    """A file in the default storage whose name comes from its content."""

    sha256: str
    size: int  # bytes


class JobState(BaseModel, extra="forbid"):
    """What a job knows of itself, for the code alone."""

    promote: bool = False  # make the version live as soon as it is trained
    dataset_version: int | None = None  # the row's id: frozen when the job first ran
    checkpoint: str | None = None  # where fine-tuning stands, in the default storage
    event_files: StoredFile | None = None
    project_file: StoredFile | None = None  # until it has been there for some days
    plan: dict[str, Any] | None = None  # what was understood of an archive, as `Plan.describe_fully`
    thumbnails: dict[str, list[str]] = Field(default_factory=dict)  # a few of each class in base64, while it is asked
    layout: str = ""  # that a person chose when asked
    accepted: bool = False  # what was understood, by a person
    in_parts: bool = False  # whether jobs have been queued that read parts of the archive
    files: list[dict[str, Any]] = Field(default_factory=list)  # of such a part, as they were read: IncomingFile
    archive_deleted: bool = False  # the uploaded archive, once the job has ended
    pauses: int = 0  # how many times in a row it was put off because something was away
    sample: int | None = None  # the picture that made it fail
    measured: dict[str, float] = Field(default_factory=dict)  # of a fine-tuning, for people who look closer
    pictures: int = 0  # about how many it is about
    expected: dict[str, int] = Field(default_factory=dict)  # units of stages to come, as far as they are known
    guessed: dict[str, float] = Field(default_factory=dict)  # units per second of stages that were never measured
    cold: bool = False  # the first of its kind in its process, which has to load TensorFlow
    stage_times: dict[str, list[float]] = Field(default_factory=dict)  # seconds and units of the stages it has left


def read_state(job: Job) -> JobState:
    """Return what the job knows of itself."""
    return JobState.model_validate(job.state)


def dump_state(state: JobState, **values: Any) -> dict[str, Any]:
    """Return a state as a job's row keeps it, with other values where they are given."""
    whole = JobState.model_validate({**state.model_dump(), **values})
    return whole.model_dump(exclude_defaults=True)


def update_ended_state(job: Job, **values: Any) -> None:
    """Change the state of a job that has ended and that nobody else writes to."""
    Job.objects.filter(pk=job.pk).exclude(status__in=Job.OPEN).update(state=dump_state(read_state(job), **values))
