"""What a training is asked to do: one frozen dataclass, stored whole on the job and in the artifact."""

import reprlib
from dataclasses import asdict, dataclass, fields
from typing import Any

from ml.backbones.registry import BACKBONES, DEFAULT_BACKBONE, is_known
from ml.backbones.spec import is_network
from ml.errors import Refused
from ml.images.augmentation import View

RECIPES = {"auto": "Automatic", "poets": "As in TensorFlow for Poets"}
MOST_SHOWN, LONGEST_SHOWN = 5, 200  # of the allowed values, and characters of the one given, in a sentence
EXPERT_FIELDS = ("steps", "learning_rate", "batch_size")
DISTORTIONS = ("flip_left_right", "random_crop", "random_scale", "random_brightness")
MOST_VIEWS = 16
TUNE_NOTHING, TUNE_LAST, TUNE_ALL = "", "last", "all"
FINE_TUNING = {TUNE_NOTHING: "Not at all", TUNE_LAST: "Its last blocks", TUNE_ALL: "The whole network"}
TUNING_FIELDS = ("fine_tuning", "fine_tuning_epochs", "fine_tuning_rate")
MOST_EPOCHS = 100


class ConfigError(Refused):
    """A value cannot be used; `field` is its name and the message names what is allowed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class TrainConfig:
    backbone: str = DEFAULT_BACKBONE
    recipe: str = "auto"  # auto: converges and stops by itself; poets: the original's gradient descent
    seed: int = 0  # the same seed, dataset version and config give the same head, bit for bit
    validation_percentage: int = 10  # of each class; for pictures that have no split yet
    testing_percentage: int = 10  # likewise
    steps: int = 500  # poets only: gradient steps (the original's --how_many_training_steps)
    learning_rate: float = 0.01  # poets only
    batch_size: int = 100  # poets only: pictures a step (--train_batch_size)
    flip_left_right: bool = False  # these four: distortions of training pictures, see ml.images.augmentation
    random_crop: int = 0  # per cent
    random_scale: int = 0  # per cent
    random_brightness: int = 0  # per cent
    distorted_views: int = 4  # of each training picture, beside the picture itself; only where it is distorted
    fine_tuning: str = TUNE_NOTHING  # which part of the backbone is trained on as well, see ml.training.fine_tuning
    fine_tuning_epochs: int = 10  # at most: it stops when validation gets no better
    fine_tuning_rate: float = 0.0001  # Adam's learning rate: small, or the backbone forgets what it knows

    def __post_init__(self) -> None:
        if not (isinstance(self.backbone, str) and is_known(self.backbone)):
            _one_of("backbone", self.backbone, BACKBONES)
        _one_of("recipe", self.recipe, RECIPES)
        _whole("seed", self.seed, 0, 2**31 - 1)
        _whole("validation_percentage", self.validation_percentage, 1, 45)
        _whole("testing_percentage", self.testing_percentage, 1, 45)
        _whole("steps", self.steps, 1, 100_000)
        _whole("batch_size", self.batch_size, 1, 100_000)
        _rate("learning_rate", self.learning_rate)
        # 1 and 1.0 are the same config, and must be the same JSON wherever configs are compared by digest.
        object.__setattr__(self, "learning_rate", float(self.learning_rate))
        self._check_fine_tuning()
        self._refuse_expert_fields_in_auto()
        self._check_distortions()

    def _refuse_expert_fields_in_auto(self) -> None:
        if self.recipe != "auto":
            return
        for field in fields(self):
            if field.name in EXPERT_FIELDS and getattr(self, field.name) != field.default:
                raise ConfigError(field.name, f"{field.name} goes with the recipe 'poets'; 'auto' finds its own.")

    def _check_distortions(self) -> None:
        _yes_or_no("flip_left_right", self.flip_left_right)
        for name in ("random_crop", "random_scale", "random_brightness"):
            _whole(name, getattr(self, name), 0, 100)
        _whole("distorted_views", self.distorted_views, 1, MOST_VIEWS)
        chosen = [name for name in DISTORTIONS if getattr(self, name)]
        if not chosen and self.distorted_views != TrainConfig.distorted_views:
            raise ConfigError("distorted_views", f"distorted_views goes with one of {', '.join(DISTORTIONS)}.")
        if chosen == ["flip_left_right"]:
            # A mirror image is the same each time.
            object.__setattr__(self, "distorted_views", 1)

    def _check_fine_tuning(self) -> None:
        _one_of("fine_tuning", self.fine_tuning, FINE_TUNING)
        _whole("fine_tuning_epochs", self.fine_tuning_epochs, 1, MOST_EPOCHS)
        _rate("fine_tuning_rate", self.fine_tuning_rate, 1)
        object.__setattr__(self, "fine_tuning_rate", float(self.fine_tuning_rate))
        if self.fine_tuning and is_network(self.backbone):
            raise ConfigError(
                "fine_tuning", "A backbone that was brought along cannot be fine-tuned. Choose one of PoetsWeb's own."
            )
        for name in TUNING_FIELDS[1:]:
            if not self.fine_tuning and getattr(self, name) != getattr(TrainConfig, name):
                raise ConfigError(name, f"{name} goes with fine_tuning '{TUNE_LAST}' or '{TUNE_ALL}'.")

    @property
    def views(self) -> list[View]:
        """The distorted views of each training picture; none where nothing is distorted."""
        distortions = {name: getattr(self, name) for name in DISTORTIONS}
        count = self.distorted_views if any(distortions.values()) else 0
        return [View(number, **distortions) for number in range(1, count + 1)]

    def as_dict(self) -> dict[str, Any]:
        """For storing and comparing. Of distortions and fine-tuning only where there are any: what was stored before
        them stays equal to what is made today."""
        left_out: set[str] = set() if self.views else {*DISTORTIONS, "distorted_views"}
        if not self.fine_tuning:
            left_out |= set(TUNING_FIELDS)
        return {name: value for name, value in asdict(self).items() if name not in left_out}


def parse_config(values: dict[str, Any]) -> TrainConfig:
    """A config from untrusted values; what is missing takes its default. Raises ConfigError."""
    known = {field.name for field in fields(TrainConfig)}
    for name in values:
        if name not in known:
            field = name[:100] if isinstance(name, str) else _show(name)
            raise ConfigError(field, f"Unknown setting {_show(name)}; known are {', '.join(sorted(known))}.")
    return TrainConfig(**values)


def _one_of(name: str, value: Any, allowed: dict[str, Any]) -> None:
    if not isinstance(value, str) or value not in allowed:
        offered = [key or "''" for key in allowed if key != "testing"]
        more = f" and {len(offered) - MOST_SHOWN} more" if len(offered) > MOST_SHOWN else ""
        shown = ", ".join(offered[:MOST_SHOWN]) + more
        raise ConfigError(name, f"{name} must be one of {shown}; got {_show(value)}.")


def _yes_or_no(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ConfigError(name, f"{name} must be true or false; got {_show(value)}.")


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(name, f"{name} must be a whole number from {low} to {high}; got {_show(value)}.")


def _rate(name: str, value: Any, most: int = 100) -> None:
    number = not isinstance(value, bool) and isinstance(value, int | float)
    # A comparison, because it is false for NaN and safe for whole numbers that no float can hold.
    if not number or not 0 < value <= most:
        raise ConfigError(name, f"{name} must be a number above 0 and at most {most}; got {_show(value)}.")


def _show(value: Any) -> str:
    """A short repr of any value: a sentence must not carry a megabyte."""
    try:
        shown = reprlib.repr(value)
    except ValueError:  # Python refuses to write out whole numbers of more than 4,300 digits
        return "a huge number"
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}…"
