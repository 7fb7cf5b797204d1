"""Define a recipe: a way to train a head, with a version of its own."""

from dataclasses import dataclass
from typing import Any, Protocol

from ml.training.head import Fitted, LabelledFeatures, Report, StepCallback
from ml.training.setting import Settings, setting


class RecipeSettings(Settings, frozen=True, strict=True, extra="forbid"):
    """The settings that every recipe may use; those of a single recipe are in its file."""

    seed: int = setting(
        0,
        label="Seed",
        help="The same seed, pictures and settings give the same version.",
        group="split",
        flag="seed",
        ge=0,
        le=2**31 - 1,
    )


class Train(Protocol):
    """A function that trains a head. `settings` are the recipe's own; `report` and `callback` are called as it goes.

    With `keep_validation` the head must not have seen the validation pictures, as others will choose by them.
    """

    def __call__(
        self,
        training: LabelledFeatures,
        validation: LabelledFeatures,
        classes: int,
        settings: Any,
        report: Report,
        callback: StepCallback,
        *,
        keep_validation: bool,
    ) -> Fitted: ...


@dataclass(frozen=True)
class Recipe:
    """A way to train a head.

    Attributes:
        name: identifies the recipe in configs and on the command line.
        title: its name for people.
        help: a sentence for people.
        version: part of the fingerprint of a training; raise it if the same settings would train another head.
        train: the function that trains.
        settings: the settings it uses.
        can_stop: whether a `report` that raises `StopTraining` ends it with the head it has reached.
        has_even_steps: whether what it reports as done tells how much of the time has gone by.
    """

    name: str
    title: str
    help: str
    version: int
    train: Train
    settings: type[RecipeSettings] = RecipeSettings
    can_stop: bool = False
    has_even_steps: bool = True

    @property
    def own_settings(self) -> list[str]:
        """List the names of the settings that belong to this recipe only."""
        return [name for name in self.settings.model_fields if name not in RecipeSettings.model_fields]
