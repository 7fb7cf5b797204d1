"""What a training is asked to do: one frozen dataclass, stored whole on the job and in the artifact."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from worker.backbones import BACKBONES, DEFAULT_BACKBONE

RECIPES = {"auto": "Automatic", "poets": "As in TensorFlow for Poets"}
EXPERT_FIELDS = ("steps", "learning_rate", "batch_size")


class ConfigError(ValueError):
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

    def __post_init__(self) -> None:
        _one_of("backbone", self.backbone, BACKBONES)
        _one_of("recipe", self.recipe, RECIPES)
        _whole("seed", self.seed, 0, 2**31 - 1)
        _whole("validation_percentage", self.validation_percentage, 1, 45)
        _whole("testing_percentage", self.testing_percentage, 1, 45)
        _whole("steps", self.steps, 1, 100_000)
        _whole("batch_size", self.batch_size, 1, 100_000)
        _rate("learning_rate", self.learning_rate)
        self._refuse_expert_fields_in_auto()

    def _refuse_expert_fields_in_auto(self) -> None:
        if self.recipe != "auto":
            return
        for field in fields(self):
            if field.name in EXPERT_FIELDS and getattr(self, field.name) != field.default:
                raise ConfigError(field.name, f"{field.name} goes with the recipe 'poets'; 'auto' finds its own.")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def parse_config(values: dict[str, Any]) -> TrainConfig:
    """A config from untrusted values; what is missing takes its default. Raises ConfigError."""
    known = {field.name for field in fields(TrainConfig)}
    for name in values:
        if name not in known:
            raise ConfigError(str(name), f"Unknown setting {str(name)!r}; known are {', '.join(sorted(known))}.")
    return TrainConfig(**values)


def _one_of(name: str, value: Any, allowed: dict[str, Any]) -> None:
    if not isinstance(value, str) or value not in allowed:
        shown = ", ".join(key for key in allowed if key != "testing")
        raise ConfigError(name, f"{name} must be one of {shown}; got {value!r}.")


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(name, f"{name} must be a whole number from {low} to {high}; got {value!r}.")


def _rate(name: str, value: Any) -> None:
    number = not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    if not number or not 0 < value <= 100:
        raise ConfigError(name, f"{name} must be a number above 0 and at most 100; got {value!r}.")
