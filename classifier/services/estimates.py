"""How much work a training will be, and how long it takes, before it is begun."""

from collections import Counter
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, QuerySet

from classifier.jobs.kinds import TRAIN
from classifier.jobs.progress import Forecast
from classifier.jobs.stage_times import StageTimes
from classifier.jobs.state import JobState
from classifier.models import Embedding, Job, Project, Sample
from classifier.selectors import class_counts
from classifier.services.custom_backbones import find_backbone
from ml.backbones.backbone import Backbone
from ml.backbones.spec import BackboneMissing
from ml.backbones.weights import WeightsMissing
from ml.datasets.splits import SPLITS, TEST, TRAINING, VALIDATION
from ml.engines.conversion import converted_path
from ml.engines.embeddings import embedding_key
from ml.engines.speed import read_speed
from ml.training.config import TUNE_ALL, TUNE_LAST, TrainConfig

# What one training picture costs in passes through the converted backbone, whose speed is measured. Forwards TensorFlow
# takes about three times as long as LiteRT; back again costs twice what forwards does, and less where only the last
# blocks learn. Of EfficientNet-Lite0 and MobileNetV2 on two cores.
PASSES = {TUNE_LAST: 5.0, TUNE_ALL: 10.0}
SHARE_OF_SPEED = 0.7  # that is left of the backbone's speed where pictures are also read, decoded and stored
(_FINE_TUNE,) = (stage for stage in TRAIN.stages if stage.name == "fine_tune")


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
    """Return the pictures per second of earlier fine-tunings of that kind, on any machine."""
    like = Job(kind=TRAIN.name, config={"backbone": backbone, "fine_tuning": extent})
    found = StageTimes([TRAIN.name]).find(like, _FINE_TUNE, JobState(), exact=True)
    return found[1] if found else None


def _speed(name: str) -> float | None:
    """Return the pictures per second of the converted backbone on this machine."""
    try:
        return read_speed(converted_path(find_backbone(name), settings.ML.backbones_dir))
    except (WeightsMissing, BackboneMissing, OSError):
        return None


@dataclass(frozen=True)
class Work:
    """What a training would do: with which pictures, of which some are new to the backbone, and for how long.

    `seconds` are without the wait for a worker, and None where the backbone itself is not at hand yet. `splits` are
    about how many pictures each has.
    """

    state: JobState
    missing: int
    seconds: float | None
    splits: dict[str, int]


def foresee_training(project: Project, config: TrainConfig) -> Work:
    """Foresee the work of a training: the state of its job knows which stages have how much to do."""
    pictures = sum(class_counts(project).values())
    state = JobState(pictures=pictures)
    speed = _speed(config.backbone)
    if speed:
        state.guessed = {"embed": SHARE_OF_SPEED * speed}
        state.guessed |= dict.fromkeys(("embed_more", "embed_copies"), SHARE_OF_SPEED * speed)
        state.guessed |= {"fine_tune": speed / PASSES[config.fine_tuning]} if config.fine_tuning else {}
    if config.fine_tuning:
        state.expected["fine_tune"] = _training_pictures(project, config) * config.fine_tuning_epochs
    missing = _expect_embedding(project, config, state)
    job = Job(kind=TRAIN.name, config=config.as_dict(), state=state.model_dump(mode="json"))
    known = "fetch" in state.expected or speed
    seconds = Forecast(job, StageTimes([TRAIN.name])).seconds_in_all() if known else None
    return Work(state, missing, seconds, _foresee_splits(project, config))


def _foresee_splits(project: Project, config: TrainConfig) -> dict[str, int]:
    """Return about how many pictures each split will have: those that have it, and a share of the others.

    Where all that have one were given it, what is missing comes from those for training.
    """
    rows = list(_usable(project).order_by().values_list("split", "split_is_given").annotate(Count("id")))
    counts = Counter({split: sum(count for name, _, count in rows if name == split) for split in ("", *SPLITS)})
    dealt = any(split and not given for split, given, _ in rows)
    held_out = {VALIDATION: config.validation_percentage, TEST: config.testing_percentage}
    found = {}
    for split, share in held_out.items():
        taken_from = counts[""] + (0 if dealt or counts[split] else counts[TRAINING])
        found[split] = counts[split] + round(taken_from * share / 100)
    return {TRAINING: counts.total() - sum(found.values()), **found}


def _usable(project: Project) -> QuerySet[Sample]:
    kept = Sample.objects.filter(project=project, deleted_at=None, image__damaged_at=None)
    return kept.filter(image_class__in_training=True)


def _expect_embedding(project: Project, config: TrainConfig, state: JobState) -> int:
    """Write into the state what is to be embedded and compared; return how many pictures lack their features."""
    usable = _usable(project)
    uncompared = usable.filter(is_compared=False).count()
    try:
        backbone = find_backbone(config.backbone)
        missing = _without(usable, embedding_key(backbone.digest))
        copies = _missing_copies(usable, backbone, config)
        is_converted = converted_path(backbone, settings.ML.backbones_dir).exists()
    except (WeightsMissing, BackboneMissing):
        return usable.count()
    state.expected |= {"fetch": 0, "compare": uncompared}
    state.expected |= {"embed": missing if uncompared else 0, "embed_more": 0 if uncompared else missing}
    state.expected |= {"embed_copies": copies + (0 if uncompared else missing)} if config.augmentations else {}
    if is_converted or not (missing or copies):
        state.expected["prepare"] = 0
    return missing


def _without(samples: QuerySet[Sample], key: str) -> int:
    there = Embedding.objects.filter(key=key).values("image")
    return samples.exclude(image__in=there).count()


def _missing_copies(usable: QuerySet[Sample], backbone: Backbone, config: TrainConfig) -> int:
    """Return about how many copies of training pictures lack their features."""
    if not config.augmentations:
        return 0
    held_out = config.validation_percentage + config.testing_percentage
    wanted = usable.count() * (100 - held_out) // 100
    keys = [embedding_key(backbone.digest, augmentation) for augmentation in config.augmentations]
    there = Embedding.objects.filter(key__in=keys, image__in=usable.values("image")).count()
    return max(wanted * len(keys) - there, 0)
