"""A project's pictures -> which backbone fits them best, tried before anybody trains with it."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from classifier.jobs.kinds import COMPARE_BACKBONES
from classifier.jobs.results import BackboneComparison, BackboneTrial
from classifier.jobs.sending import queue_job
from classifier.models import Job, Project
from classifier.services import datasets, readiness
from ml.backbones.registry import BACKBONES, get_backbone
from ml.backbones.spec import Origin
from ml.backbones.weights import WeightsMissing
from ml.errors import Refused
from ml.evaluation.mcnemar import CERTAIN
from ml.training.backbone_comparison import TooFewPictures

SAME_SPEED = 1.15  # times; less is not worth a word


class NoCurrentBackbone(Refused):
    """Workers of the usual kind cannot run the backbone that the others would be compared with."""

    def __init__(self) -> None:
        super().__init__(
            "The backbone of the last training cannot be compared with others. Train with another one first."
        )


@dataclass(frozen=True)
class Judged:
    """A backbone beside the current one.

    Attributes:
        accuracy: 0 to 1.
        gain: by how much more of the pictures are right than with the current one, -1 to 1.
        is_certain: whether chance would hardly make that difference.
        slowdown: how many times as long a picture takes.
    """

    trial: BackboneTrial
    accuracy: float
    gain: float
    is_certain: bool
    slowdown: float
    is_current: bool
    is_recommended: bool = False

    @property
    def words(self) -> str:
        """Say how it compares with the current one: “2.0 points better, 3.1 × slower”."""
        return "the current one" if self.is_current else f"{self._gain_in_words}, {self._speed_in_words}"

    @property
    def _gain_in_words(self) -> str:
        if not self.gain:
            return "as many right"
        found = f"{abs(100 * self.gain):.1f} points {'better' if self.gain > 0 else 'worse'}"
        return found if self.is_certain else f"{found} (may be chance)"

    @property
    def _speed_in_words(self) -> str:
        if self.slowdown >= SAME_SPEED:
            return f"{_times(self.slowdown)} × slower"
        if self.slowdown <= 1 / SAME_SPEED:
            return f"{_times(1 / self.slowdown)} × faster"
        return "about as fast"


def _times(factor: float) -> str:
    return f"{factor:.1f}" if factor < 10 else f"{factor:,.0f}"


def request_comparison(project: Project, *, by: User) -> Job:
    """Queue a comparison of the backbones at hand, or return the one that is open.

    Raise `TooFewPictures`, `NoCurrentBackbone`, `TooManyJobs`.
    """
    current = readiness.choose_backbone(project)
    if current is None:
        raise NoCurrentBackbone
    if not datasets.can_hold_out(project):
        raise TooFewPictures
    names = list(dict.fromkeys([current.name, *list_at_hand()]))
    config = {"backbones": names, "compared_with": current.name}
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # two clicks at once: the second sees the first's job
        return find_open(project) or queue_job(COMPARE_BACKBONES, project=project, by=by, config=config)


def find_open(project: Project) -> Job | None:
    """Return the comparison that has not ended."""
    return project.jobs.filter(kind=COMPARE_BACKBONES.name, status__in=Job.OPEN).first()


def find_last(project: Project) -> Job | None:
    """Return the last comparison that has succeeded."""
    done = project.jobs.filter(kind=COMPARE_BACKBONES.name, status=Job.Status.SUCCEEDED)
    return done.order_by("-pk").first()


def list_at_hand() -> list[str]:
    """List the backbones that come with PoetsWeb and whose packages are installed."""
    offered = [name for name, one in BACKBONES.items() if one.origin == Origin.BUNDLED and not one.hidden]
    return [name for name in offered if _has_weights(name)]


def _has_weights(name: str) -> bool:
    try:
        get_backbone(name, settings.ML).digest  # noqa: B018 - looks for the weights
    except WeightsMissing:
        return False
    return True


def judge_trials(job: Job) -> list[Judged]:
    """Return what a comparison that has succeeded says of each backbone, the most accurate first."""
    found = BackboneComparison.model_validate(job.result)
    trials, pictures = found.trials or [], found.pictures or 1
    current = next((trial for trial in trials if trial.backbone == found.compared_with), None)
    if current is None:
        return []
    best = next((one.backbone for one in trials if one.correct > current.correct and one.p < CERTAIN), "")
    return [
        Judged(
            trial=trial,
            accuracy=trial.correct / pictures,
            gain=(trial.fixed - trial.broken) / pictures,
            is_certain=trial.p < CERTAIN,
            slowdown=trial.milliseconds / max(current.milliseconds, 1e-6),
            is_current=trial is current,
            is_recommended=trial.backbone == best,
        )
        for trial in trials
    ]


def find_recommended(project: Project) -> Judged | None:
    """Return the backbone that the last comparison found better than the one it was compared with."""
    job = find_last(project)
    return next((one for one in judge_trials(job) if one.is_recommended), None) if job else None
