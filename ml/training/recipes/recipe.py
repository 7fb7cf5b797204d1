"""What a recipe is: a way to train a head, with a version of its own."""

from dataclasses import dataclass
from typing import Any, Protocol

from ml.training.head import Head, Report, Split, StepCallback
from ml.training.setting import Settings, setting


class RecipeSettings(Settings, frozen=True, strict=True, extra="forbid"):
    """The settings that every recipe may use; those of one recipe alone stand in its file."""

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
    """Train a head. `settings` are the recipe's own; `report` and `callback` are called as it goes."""

    def __call__(
        self,
        training: Split,
        validation: Split,
        classes: int,
        settings: Any,
        report: Report,
        callback: StepCallback,
    ) -> Head: ...


@dataclass(frozen=True)
class Recipe:
    name: str
    title: str
    help: str  # a sentence for people
    version: int  # raise it when the same settings would train another head: fingerprints carry it
    train: Train
    settings: type[RecipeSettings] = RecipeSettings

    @property
    def own_settings(self) -> list[str]:
        """List the names of the settings that go with this recipe alone."""
        return [name for name in self.settings.model_fields if name not in RecipeSettings.model_fields]
