"""The stages of jobs, and what their being there, their time and their stopping depend on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ml.training.recipes.registry import RECIPES

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Stage:
    """A part of the work. Its share of the one bar is its usual time against those of the stages that apply."""

    name: str
    title: str
    unit: str = ""  # of `done` and `total`; without one they are not shown
    applies: Callable[[Config], bool] = lambda config: True  # to a job with this config
    # What its time depends on: settings of the config, and `cold` of the state. What matters most comes first.
    depends_on: tuple[str, ...] = ()
    grows: bool = False  # with the number of pictures, where no unit tells it
    in_parts: bool = False  # other jobs do it, on any machine
    known_as: str = ""  # of all kinds' stages that do the same, and whose times are kept as one
    seconds: float = 1.0  # what it takes, until it has been measured
    rate: float | None = None  # units per second, likewise
    can_stop: Callable[[Config], bool] = lambda config: False  # before its end, with what it has reached
    has_even_steps: Callable[[Config], bool] = lambda config: True  # what is done tells how much time has gone by


def fine_tunes(config: Config) -> bool:
    return bool(config.get("fine_tuning"))


def augments(config: Config) -> bool:
    return bool(config.get("augmented_copies"))  # which is left out where nothing is augmented


def recipe_stops(config: Config) -> bool:
    recipe = RECIPES.get(str(config.get("recipe")))
    return recipe is not None and recipe.can_stop


def recipe_has_even_steps(config: Config) -> bool:
    recipe = RECIPES.get(str(config.get("recipe")))
    return recipe is None or recipe.has_even_steps


def downloads(config: Config) -> bool:
    return config.get("sample_set") == "flowers"


def embed_stage(name: str, title: str, applies: Callable[[Config], bool] = lambda config: True) -> Stage:
    return Stage(name, title, "pictures", applies, ("backbone",), in_parts=True, known_as="embed", rate=60)


COMPARE = Stage("compare", "Looking for the same photos", "pictures", rate=400)
LOADING_SECONDS = 30.0  # what a stage takes that loads TensorFlow and converts a network
HEAD = ("cold", "recipe")
TUNING = ("backbone", "fine_tuning")
