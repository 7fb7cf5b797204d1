"""The form that takes several values of each setting."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from pydantic.fields import FieldInfo

from classifier.catalogue import list_backbones
from classifier.services.sweeps import BadSweep, list_configs
from ml.backbones.registry import BACKBONES
from ml.training.config import ConfigError, TrainConfig
from ml.training.setting import bounds_of, extra_of

GROUPS = {
    "backbone": "Backbone",
    "recipe": "Recipe",
    "fine_tuning": "Fine-tuning",
    "augmentation": "Changed copies of the pictures",
    "split": "Pictures held back, and chance",
}
LONGEST = 200  # characters of a list of values


class SweepForm(forms.Form):
    """Settings with several values each; what is left empty has its default."""

    def __init__(self, *args: Any, backbone: str, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, setting in TrainConfig.model_fields.items():
            self.fields[name] = _make_field(setting)
        at_hand = [known for known in list_backbones(user) if known.name not in BACKBONES or known.bundled]
        self.fields["backbone"] = forms.MultipleChoiceField(
            label="Backbone",
            choices=[(known.name, known.title) for known in at_hand],
            initial=[backbone],
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )

    def groups(self) -> list[dict[str, Any]]:
        """List the groups of settings with their fields: those of choices, then those that are written."""
        found = []
        for group, title in GROUPS.items():
            fields = [
                self[name] for name, field in TrainConfig.model_fields.items() if extra_of(field)["group"] == group
            ]
            choices = [field for field in fields if isinstance(field.field, forms.MultipleChoiceField)]
            found.append({"title": title, "choices": choices, "written": [one for one in fields if one not in choices]})
        return found

    def clean(self) -> dict[str, Any]:
        """Add `values`, the values of each setting that has any."""
        cleaned = self.cleaned_data
        given = {name: cleaned[name] for name in TrainConfig.model_fields if cleaned.get(name)}
        if not self.errors:
            try:
                list_configs(given)
                cleaned["values"] = given
            except ConfigError as error:
                self.add_error(error.field, str(error))
            except BadSweep as error:
                raise forms.ValidationError(str(error)) from None
        return cleaned


class ValuesField(forms.CharField):
    """Numbers with commas between them."""

    def __init__(self, *, number: type[int] | type[float], **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST, required=False, **kwargs)
        self.number = number

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return [self.number(part) for part in text.replace(";", ",").split(",") if part.strip()]
        except ValueError:
            kind = "whole numbers" if self.number is int else "numbers such as 0.01"
            raise forms.ValidationError(f"Write {kind}, with commas between them.") from None


def _make_field(setting: FieldInfo) -> forms.Field:
    choices = extra_of(setting).get("choices")
    if setting.annotation is bool:
        choices = {False: "no", True: "yes"}
    if choices:
        return forms.TypedMultipleChoiceField(
            label=setting.title,
            help_text=setting.description or "",
            choices=[(str(value), title) for value, title in choices.items()],
            coerce={str(value): value for value in choices}.__getitem__,
            initial=[str(setting.default)],
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )
    number = int if setting.annotation is int else float
    bounds = bounds_of(setting)
    limits = f" From {bounds['ge']} to {bounds['le']}." if "ge" in bounds and number is int else ""
    return ValuesField(
        number=number, label=setting.title, help_text=f"{setting.description}{limits}", initial=str(setting.default)
    )
