"""The candidate of a project that is always up to date: kept as a version, or replaced by the next one."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from classifier.jobs.kinds import CANDIDATE
from classifier.models import Candidate, Job, ModelVersion, Project
from classifier.selectors import live_version
from classifier.services.candidate_files import delete_other_files, read_files
from classifier.services.candidate_queue import cancel_open, list_open
from classifier.services.datasets import freeze_dataset_version
from classifier.services.model_versions import fingerprint, publish_candidate
from ml.errors import Conflict
from ml.training.config import parse_config
from ml.training.pipeline import Trained


class CandidateOutdated(Conflict):
    """Pictures or labels have changed since the candidate was trained, or there is none."""

    def __init__(self) -> None:
        super().__init__("Pictures or labels have just changed. Wait some seconds for the next figure, then keep that.")


@dataclass(frozen=True)
class CandidateState:
    """What there is to show of a project that is always up to date.

    Attributes:
        candidate: None before the first one.
        version: the version that it is, if that is there already.
        live: the live version.
        is_training: whether a newer one waits for the rest, or is being trained.
        has_failed: whether the last training ended with a fault.
    """

    project: Project
    candidate: Candidate | None
    version: int | None
    live: ModelVersion | None
    is_training: bool
    has_failed: bool

    @property
    def can_be_kept(self) -> bool:
        """Return whether there is a candidate of the pictures as they are, and no version like it."""
        usable = self.candidate is not None and bool(self.candidate.artifact_digest)
        return usable and self.version is None and not self.is_training

    @property
    def token(self) -> str:
        """Return a text that is another one when there is something else to show."""
        at = self.candidate.trained_at.timestamp() if self.candidate else 0
        live = self.live.number if self.live else 0
        return f"{at}-{self.version or 0}-{live}-{int(self.is_training)}{int(self.has_failed)}"


def find_state(project: Project) -> CandidateState | None:
    """Return what there is to show; None where the project is not always up to date."""
    if not project.up_to_date:
        return None
    candidate = Candidate.objects.filter(project=project).first()
    number = candidate.same_as if candidate else None
    if candidate and candidate.artifact_digest:
        made = project.model_versions.filter(fingerprint=candidate.fingerprint)
        number = made.values_list("number", flat=True).first()
    failed = project.jobs.filter(kind=CANDIDATE.name, status=Job.Status.FAILED).exists()
    return CandidateState(project, candidate, number, live_version(project), bool(list_open(project)), failed)


@transaction.atomic
def keep_candidate(project: Project, *, by: User | None, promote: bool = False) -> ModelVersion:
    """Make the candidate a version, the one that a training now would give. Raise CandidateOutdated, ArtifactCorrupt.

    It becomes live as any version does: as the first one, or if that is asked for, and if the quality gate lets it.
    """
    Project.objects.select_for_update().get(pk=project.pk)
    candidate = Candidate.objects.filter(project=project).exclude(artifact_digest="").first()
    if candidate is None:
        raise CandidateOutdated
    config = parse_config(candidate.config)
    frozen = freeze_dataset_version(
        project,
        validation_percentage=config.validation_percentage,
        testing_percentage=config.testing_percentage,
        by=by,
    )
    if (fingerprint(frozen, config), frozen.classes) != (candidate.fingerprint, candidate.classes):
        raise CandidateOutdated
    trained = Trained(candidate.artifact_digest, read_files(candidate), candidate.metrics)
    return publish_candidate(frozen, config, trained, by=by, promote=promote)


def replace_candidate(project: Project, candidate: Candidate) -> None:
    """Put a candidate in the place of the one before it. Call it in a transaction."""
    Candidate.objects.filter(project=project).delete()
    candidate.project = project
    candidate.save()
    transaction.on_commit(lambda: delete_other_files(project.pk, candidate.artifact_digest))


def forget_candidate(project: Project) -> None:
    """Delete the candidate, and train none any more."""
    cancel_open(project)
    Candidate.objects.filter(project=project).delete()
    delete_other_files(project.pk)


def find_suggesting(project: Project) -> ModelVersion | Candidate | None:
    """Return what suggests classes: the candidate, which knows the last labels, or else the live version."""
    known = Candidate.objects.filter(project=project, project__up_to_date=True).exclude(artifact_digest="")
    return known.select_related("project").first() or live_version(project)
