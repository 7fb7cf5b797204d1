"""Pressing Train: why it cannot or should not start, in words, or the job."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from classifier.jobs.kinds import TRAIN
from classifier.jobs.sending import queue_job
from classifier.models import Job, Project
from classifier.selectors import class_counts, list_classes
from classifier.services.custom_backbones import check_backbone
from classifier.services.estimates import foresee_training
from classifier.workers import missing_queues
from ml.datasets.splits import SMALLEST_CLASS
from ml.errors import Conflict
from ml.training.config import TrainConfig

WORST_IMBALANCE = 100


@dataclass(frozen=True)
class Preflight:
    """`errors`: training cannot start. `warnings`: it should not, but the user may insist."""

    errors: list[str]
    warnings: list[str]
    running: Job | None = None


class TrainingRefused(Conflict):
    """The pre-flight said no; `preflight` says why."""

    def __init__(self, preflight: Preflight) -> None:
        super().__init__(" ".join(preflight.errors or preflight.warnings))
        self.preflight = preflight


def check_training(project: Project) -> Preflight:
    """Find everything that speaks against training and can be known before queueing."""
    counted = class_counts(project)
    classes = list_classes(project).filter(in_training=True).order_by("pk").values_list("pk", "name")
    sizes = {name: counted[pk] for pk, name in classes if counted.get(pk)}
    running = project.jobs.filter(kind=TRAIN.name, status__in=Job.OPEN).order_by("pk").first()
    return Preflight(_errors(sizes), [*_imbalance(sizes), *_absent_workers()], running)


def _errors(sizes: dict[str, int]) -> list[str]:
    if not sizes:
        return ["There are no pictures yet. Upload pictures of at least two classes."]
    errors = []
    if len(sizes) < 2:
        only = next(iter(sizes))
        errors.append(f"There is only one class, “{only}”. A classifier needs at least two.")
    for name, size in sizes.items():
        if size < SMALLEST_CLASS:
            has = "only one picture" if size == 1 else f"only {size} pictures"
            errors.append(f"The class “{name}” has {has}. Each class needs at least {SMALLEST_CLASS}.")
    return errors


def _imbalance(sizes: dict[str, int]) -> list[str]:
    if not sizes:
        return []
    small, large = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if sizes[large] < WORST_IMBALANCE * sizes[small]:
        return []
    return [
        f"The class “{large}” has {sizes[large]} pictures and “{small}” only {sizes[small]}. "
        f"Predictions for “{small}” will not be reliable; add pictures of it."
    ]


def _absent_workers() -> list[str]:
    if not missing_queues(("embed", "train")):
        return []
    return [
        "No worker is running, so the job would have to wait. Start one (“make run” starts one together with the site)."
    ]


@transaction.atomic
def request_training(
    project: Project, config: TrainConfig, *, by: User, promote: bool = False, force: bool = False
) -> Job:
    """Queue the training. Raise TrainingRefused, ConfigError; warnings refuse too unless `force`."""
    check_backbone(config, by)
    Project.objects.select_for_update().get(pk=project.pk)  # two clicks at once: the second sees the first's job
    preflight = check_training(project)
    refused = preflight.errors or preflight.running or (preflight.warnings and not force)
    if refused:
        raise TrainingRefused(preflight)
    state = foresee_training(project, config).state.model_copy(update={"promote": promote})
    return queue_job(TRAIN, project=project, by=by, config=config.as_dict(), state=state)
