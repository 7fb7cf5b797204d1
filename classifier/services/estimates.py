"""How long a fine-tuning will take, before it is begun."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from classifier.jobs.kinds import TRAIN
from classifier.models import Job, Project
from classifier.selectors import class_counts
from classifier.services.custom_backbones import find_backbone
from ml.backbones.spec import BackboneMissing
from ml.backbones.weights import WeightsMissing
from ml.engines.conversion import converted_path
from ml.engines.speed import read_speed
from ml.training.config import TUNE_ALL, TUNE_LAST, TrainConfig

# What one training picture costs in passes through the converted backbone, whose speed is measured. Forwards TensorFlow
# takes about three times as long as LiteRT; back again costs twice what forwards does, and less where only the last
# blocks learn. Of EfficientNet-Lite0 and MobileNetV2 on two cores.
PASSES = {TUNE_LAST: 5.0, TUNE_ALL: 10.0}


@dataclass(frozen=True)
class Estimate:
    """Seconds for all epochs; it may stop before. `measured`: by an earlier fine-tuning on this site."""

    pictures: int
    seconds: dict[str, float]  # by what is tuned
    measured: bool


def estimate_tuning(project: Project, config: TrainConfig) -> Estimate | None:
    """Estimate the time for each extent of fine-tuning; return None if nothing is measured yet."""
    pictures = _training_pictures(project, config)
    speed = _speed(config.backbone)
    rates = {extent: _measured(config.backbone, extent) for extent in PASSES}
    if not speed and not all(rates.values()):
        return None
    shown = pictures * config.fine_tuning_epochs
    guessed = {extent: (speed or 0.0) / passes for extent, passes in PASSES.items()}
    seconds = {extent: shown / (rates[extent] or guessed[extent]) for extent in PASSES}
    return Estimate(pictures, seconds, measured=all(rates.values()))


def _training_pictures(project: Project, config: TrainConfig) -> int:
    """Return the approximate number of training pictures; the splits are decided when the training begins."""
    held_out = config.validation_percentage + config.testing_percentage
    return sum(class_counts(project).values()) * (100 - held_out) // 100


def _measured(backbone: str, extent: str) -> float | None:
    """Return the pictures per second of the last fine-tuning of that kind, on any machine."""
    like: dict[str, Any] = {
        "kind": TRAIN.name,
        "status": Job.Status.SUCCEEDED,
        "state__measured__has_key": "fine_tuning_rate",
    }
    same = Job.objects.filter(config__backbone=backbone, config__fine_tuning=extent, **like)
    state = same.order_by("-pk").values_list("state", flat=True).first()
    return float(state["measured"]["fine_tuning_rate"]) if state else None


def _speed(name: str) -> float | None:
    """Return the pictures per second of the converted backbone on this machine."""
    try:
        return read_speed(converted_path(find_backbone(name), settings.ML.backbones_dir))
    except (WeightsMissing, BackboneMissing, OSError):
        return None
