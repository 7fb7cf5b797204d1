"""Define the settings of a training as one frozen model, stored whole on the job and in the artifact.

A setting is declared here, or in its recipe's file, and nowhere else: see `ml.training.setting`.
"""

import reprlib
from typing import Any

from pydantic import ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from ml.backbones.registry import BACKBONES, DEFAULT_BACKBONE, is_known
from ml.backbones.spec import is_custom
from ml.errors import Refused
from ml.images.augmentation import Augmentation
from ml.training.recipes.registry import RECIPES, AllRecipeSettings
from ml.training.setting import bounds_of, extra_of, setting

MAX_SHOWN, MAX_SHOWN_CHARACTERS = 5, 200  # in a message: how many allowed values, how long the given one
MAX_COPIES = 16
MAX_EPOCHS = 100
TUNE_NOTHING, TUNE_LAST, TUNE_ALL = "", "last", "all"
FINE_TUNING = {TUNE_NOTHING: "None", TUNE_LAST: "Its last blocks", TUNE_ALL: "The whole network"}


class ConfigError(Refused):
    """A value cannot be used. `field` is the setting's name, and the message says what is allowed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def _percentage(label: str, help: str, flag: str) -> Any:
    return setting(10, label=label, help=help, group="split", flag=flag, ge=1, le=45)


def _augmentation(label: str, help: str, flag: str) -> Any:
    return setting(0, label=label, help=help, group="augmentation", flag=flag, ge=0, le=100)


def why_not_fine_tuned(backbone: str) -> str:
    """Return a sentence that says why a backbone of that name cannot be fine-tuned; empty if it can."""
    if is_custom(backbone):
        return "Only the backbones that PoetsWeb offers can be fine-tuned, not those that users add."
    if backbone in BACKBONES and BACKBONES[backbone].members:
        return "A backbone that is made of several cannot be fine-tuned. Choose one of them alone."
    return ""


class TrainConfig(AllRecipeSettings, frozen=True, strict=True, extra="forbid"):
    """All settings of a training, checked and frozen. Raise `ConfigError` for a value that cannot be used.

    The settings fall into groups, which are also the parts of the form:

        backbone        the name of the backbone that computes the features
        recipe          `recipe` and the settings that belong to one recipe only (see `ml.training.recipes`)
        split           the shares of validation and test, in per cent of each class, and the seed
        answers         when it would rather not answer
        augmentation    which distortions augmented copies get, how strong in per cent, and the number of copies
        fine_tuning     which part of the backbone is trained too, for at most how many epochs, at which learning rate

    A setting that would have no effect must keep its default. Mirroring alone allows only one augmented copy, so
    `augmented_copies` is then set to 1.
    """

    backbone: str = setting(
        DEFAULT_BACKBONE,
        label="Backbone",
        help="The pretrained network that turns a picture into features.",
        group="backbone",
    )
    validation_percentage: int = _percentage(
        "Validation, %", "Of each class, for choosing settings.", "validation_percentage"
    )
    testing_percentage: int = _percentage(
        "Test, %", "Of each class, for measuring the accuracy at the end.", "testing_percentage"
    )
    flip_left_right: bool = setting(
        False,
        label="Mirror left and right",
        help="Also train on mirrored pictures.",
        group="augmentation",
        flag="flip_left_right",
    )
    random_crop: int = _augmentation("Random crop, %", "How much is cut off at random edges.", "random_crop")
    random_scale: int = _augmentation("Random scale, %", "Enlarged at random by up to this much.", "random_scale")
    random_brightness: int = _augmentation(
        "Random brightness, %", "Made lighter or darker at random by up to this much.", "random_brightness"
    )
    augmented_copies: int = setting(
        4,
        label="Copies of each picture",
        help="How many augmented copies each training picture gets. Mirroring alone gives only one.",
        group="augmentation",
        flag="augmented_copies",
        ge=1,
        le=MAX_COPIES,
    )
    wanted_precision: int = setting(
        0,
        label="Wanted precision, %",
        help="Answer only where at least this share of such answers is right, and else with “none of these”. "
        "0: always answer.",
        group="answers",
        ge=0,
        le=99,
    )
    fine_tuning: str = setting(
        TUNE_NOTHING,
        label="Fine-tuning",
        help="Which part of the backbone is trained as well, after the last layer.",
        group="fine_tuning",
        choices=FINE_TUNING,
    )
    fine_tuning_epochs: int = setting(
        10,
        label="Epochs at most",
        help="How many times each picture is shown. It stops earlier when validation stops improving.",
        group="fine_tuning",
        ge=1,
        le=MAX_EPOCHS,
    )
    fine_tuning_rate: float = setting(
        0.0001,
        label="Fine-tuning learning rate",
        help="Keep it small, or the backbone forgets what it has learned.",
        group="fine_tuning",
        gt=0,
        le=1,
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _config_error(error) from None

    @field_validator("backbone")
    @classmethod
    def _check_backbone(cls, name: str) -> str:
        if not is_known(name):
            raise ConfigError("backbone", _one_of("backbone", name, BACKBONES))
        return name

    @field_validator("recipe", "fine_tuning")
    @classmethod
    def _check_choice(cls, value: str, info: Any) -> str:
        allowed = extra_of(cls.model_fields[info.field_name])["choices"]
        if value not in allowed:
            raise ConfigError(info.field_name, _one_of(info.field_name, value, allowed))
        return value

    @model_validator(mode="after")
    def _check_together(self) -> "TrainConfig":
        """Refuse settings that would have no effect: whoever gives one expects it to have an effect."""
        for recipe in RECIPES.values():
            if recipe.name != self.recipe:
                self._refuse_changed(recipe.own_settings, f"the recipe '{recipe.name}'")
        if not self.fine_tuning:
            together = f"fine_tuning '{TUNE_LAST}' or '{TUNE_ALL}'"
            self._refuse_changed(["fine_tuning_epochs", "fine_tuning_rate"], together)
        elif refusal := why_not_fine_tuned(self.backbone):
            raise ConfigError("fine_tuning", refusal)
        chosen = [name for name in AUGMENTATIONS if getattr(self, name)]
        if not chosen:
            self._refuse_changed(["augmented_copies"], f"one of {', '.join(AUGMENTATIONS)}")
        elif chosen == ["flip_left_right"]:
            object.__setattr__(self, "augmented_copies", 1)  # a mirror image is the same each time
        return self

    def _refuse_changed(self, names: list[str], together: str) -> None:
        for name in names:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ConfigError(name, f"{name} only has an effect together with {together}.")

    @property
    def augmentations(self) -> list[Augmentation]:
        """List the augmented copies of each training picture; the list is empty if nothing is augmented."""
        chosen = {name: getattr(self, name) for name in AUGMENTATIONS}
        count = self.augmented_copies if any(chosen.values()) else 0
        return [Augmentation(number, **chosen) for number in range(1, count + 1)]

    def as_dict(self) -> dict[str, Any]:
        """Return the settings for storing and comparing.

        Leave out those that came later and are not used, so that configs stored before PoetsWeb had
        them stay equal to new ones.
        """
        left_out = set() if self.augmentations else set(names_of_group("augmentation"))
        if not self.fine_tuning:
            left_out |= set(names_of_group("fine_tuning"))
        if not self.wanted_precision:
            left_out |= set(names_of_group("answers"))
        return self.model_dump(exclude=left_out)


AUGMENTATIONS = ("flip_left_right", "random_crop", "random_scale", "random_brightness")


def names_of_group(group: str) -> list[str]:
    """List the names of the settings in a group of the form."""
    return [name for name, field in TrainConfig.model_fields.items() if extra_of(field)["group"] == group]


def parse_config(values: dict[str, Any]) -> TrainConfig:
    """Make a config from untrusted values; missing settings get their defaults. Raise `ConfigError`."""
    known = TrainConfig.model_fields
    for name in values:
        if name not in known:
            field = name[:100] if isinstance(name, str) else _show(name)
            raise ConfigError(field, f"There is no setting {_show(name)}. Known settings: {', '.join(sorted(known))}.")
    return TrainConfig(**values)


def describe_config(config: dict[str, Any]) -> list[tuple[str, str]]:
    """List (label, value) of the settings of a stored config that had an effect, except backbone and recipe."""
    others = {
        name for recipe in RECIPES.values() if recipe.name != config.get("recipe") for name in recipe.own_settings
    }
    shown = []
    for name, field in TrainConfig.model_fields.items():
        if name in config and name not in others | {"backbone", "recipe"}:
            shown.append((str(field.title), _show_stored(field, config[name])))
    return shown


def _show_stored(field: FieldInfo, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(extra_of(field).get("choices", {}).get(value, f"{value:g}" if isinstance(value, float) else value))


def _config_error(error: ValidationError) -> ConfigError:
    """Turn the first thing that pydantic found into a sentence that says what is allowed."""
    found = error.errors(include_url=False, include_context=False)[0]
    name = str(found["loc"][0]) if found["loc"] else ""
    field = TrainConfig.model_fields.get(name)
    if field is None:
        return ConfigError(name, f"There is no setting {_show(name)}.")
    choices = extra_of(field).get("choices")
    if field.annotation is str:
        return ConfigError(name, _one_of(name, found["input"], choices or BACKBONES))
    return ConfigError(name, f"{name} must be {describe_values(field)}; got {_show(found['input'])}.")


def describe_values(field: FieldInfo) -> str:
    """Say which values a setting takes, for example "a whole number from 1 to 45"."""
    if field.annotation is bool:
        return "true or false"
    bounds = bounds_of(field)
    if field.annotation is int:
        return f"a whole number from {bounds['ge']} to {bounds['le']}"
    return f"a number above {bounds['gt']} and at most {bounds['le']}"


def _one_of(name: str, value: Any, allowed: dict[str, Any]) -> str:
    offered = [key or "''" for key in allowed if key != "testing"]
    more = f" and {len(offered) - MAX_SHOWN} more" if len(offered) > MAX_SHOWN else ""
    return f"{name} must be one of {', '.join(offered[:MAX_SHOWN])}{more}; got {_show(value)}."


def _show(value: Any) -> str:
    """Return a short repr of any value, because a sentence must not carry a megabyte."""
    try:
        shown = reprlib.repr(value)
    except ValueError:  # Python refuses to write out whole numbers of more than 4,300 digits
        return "a huge number"
    return shown if len(shown) <= MAX_SHOWN_CHARACTERS else f"{shown[:MAX_SHOWN_CHARACTERS]}…"
