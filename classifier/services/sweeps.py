"""Several trainings with different settings, asked for at once and compared in one table."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max

from classifier.jobs.kinds import TRAIN
from classifier.jobs.lifecycle import cancel_job
from classifier.jobs.sending import queue_job
from classifier.models import Job, ModelVersion, Project, Sweep
from classifier.services.custom_backbones import check_backbone
from classifier.services.estimates import foresee_training
from classifier.services.training import TrainingRefused, check_training
from ml.errors import Refused
from ml.training.config import TrainConfig, names_of_group, parse_config
from ml.training.evaluation import Estimate
from ml.training.recipes.registry import RECIPES

MOST_TRAININGS = 20


class BadSweep(Refused):
    """The message says what cannot be compared."""


@dataclass(frozen=True)
class Result:
    """A training of a sweep: what is special about it, and what came of it once it has ended."""

    job: Job
    settings: dict[str, Any]
    version: ModelVersion | None
    is_best: bool = False

    @property
    def accuracy(self) -> Estimate | None:
        return self.version.accuracy if self.version else None


def list_configs(values: Mapping[str, Sequence[Any]]) -> list[TrainConfig]:
    """Return the configs of all combinations of these values, each once.

    A setting that has no effect in a combination, such as one of another recipe, keeps its default there.

    Raise BadSweep, ConfigError.
    """
    empty = [name for name, chosen in values.items() if not chosen]
    if empty:
        raise BadSweep(f"Give at least one value of {empty[0]}, or leave it out.")
    count = 1
    for chosen in values.values():
        count *= len(chosen)
    if count > 50 * MOST_TRAININGS:
        raise BadSweep(_too_many(count))
    found: dict[str, TrainConfig] = {}
    for combination in itertools.product(*values.values()):
        config = parse_config(_effective(dict(zip(values, combination, strict=True))))
        found.setdefault(repr(sorted(config.as_dict().items())), config)
    if len(found) > MOST_TRAININGS:
        raise BadSweep(_too_many(len(found)))
    if len(found) < 2:
        raise BadSweep("These values make a single training. Give at least two values of a setting to compare.")
    return list(found.values())


def _too_many(count: int) -> str:
    return f"These values make {count} trainings; at most {MOST_TRAININGS} can be compared at once."


def _effective(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out the settings that have no effect beside the others."""
    recipe = values.get("recipe", "auto")
    hidden = {name for known in RECIPES.values() if known.name != recipe for name in known.own_settings}
    if not values.get("fine_tuning"):
        hidden |= set(names_of_group("fine_tuning")) - {"fine_tuning"}
    return {name: value for name, value in values.items() if name not in hidden}


def _list_varied(values: Mapping[str, Sequence[Any]], configs: Sequence[TrainConfig]) -> dict[str, list[Any]]:
    """Return the settings that differ, with their values; what no config has was never checked, and is left out."""
    used = {name: {getattr(config, name) for config in configs} for name in values}
    kept = {
        name: list(dict.fromkeys(one for one in given if _is_in(one, used[name]))) for name, given in values.items()
    }
    return {name: chosen for name, chosen in kept.items() if len(chosen) > 1}


def _is_in(value: Any, used: set[Any]) -> bool:
    return isinstance(value, (str, int, float)) and value in used


def request_sweep(project: Project, values: Mapping[str, Sequence[Any]], *, by: User, force: bool = False) -> Sweep:
    """Queue a training for each combination of the values, to run one after the other.

    Raise BadSweep, ConfigError, TrainingRefused, TooManyJobs.
    """
    configs = list_configs(values)
    with transaction.atomic():
        for config in configs:
            check_backbone(config, by)
        Project.objects.select_for_update().get(pk=project.pk)  # as for a single training
        preflight = check_training(project)
        if preflight.errors or preflight.running or (preflight.warnings and not force):
            raise TrainingRefused(preflight)
        last = project.sweeps.aggregate(last=Max("number"))["last"] or 0
        varied = _list_varied(values, configs)
        sweep = Sweep.objects.create(project=project, number=last + 1, varied=varied, created_by=by)
        for config in configs:
            state = foresee_training(project, config).state
            queue_job(TRAIN, project=project, by=by, config=config.as_dict(), state=state, sweep=sweep)
    return sweep


def cancel_sweep(sweep: Sweep) -> int:
    """Cancel the trainings that have not ended, and return how many they were."""
    return sum(cancel_job(job) for job in sweep.jobs.filter(status__in=Job.OPEN).order_by("-pk"))


def list_results(sweep: Sweep) -> list[Result]:
    """List the trainings of a sweep, the best one marked: the most accurate, of equal ones the quickest."""
    jobs = list(sweep.jobs.select_related("project").defer("curve", "error_detail").order_by("pk"))
    numbers = {job.result.get("model_version") for job in jobs}
    versions = {
        one.number: one for one in ModelVersion.objects.filter(project=sweep.project_id, number__in=numbers - {None})
    }
    results = [Result(job, _varied_of(job, sweep), versions.get(job.result.get("model_version"))) for job in jobs]
    done = [result for result in results if result.accuracy is not None and result.accuracy.accuracy is not None]
    best = max(done, key=_rank, default=None)
    return [Result(one.job, one.settings, one.version, is_best=one is best) for one in results]


def _varied_of(job: Job, sweep: Sweep) -> dict[str, Any]:
    return {name: job.config.get(name) for name in sweep.varied if name in TrainConfig.model_fields}


def _rank(result: Result) -> tuple[float, float]:
    assert result.accuracy is not None  # noqa: S101 - only of those that have one
    job = result.job
    took = (job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else 0.0
    return result.accuracy.accuracy or 0.0, -took
