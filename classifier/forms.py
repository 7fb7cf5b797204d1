from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model, password_validation
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from pydantic.fields import FieldInfo

from classifier.catalogue import BackboneInfo, list_backbones
from classifier.models import ApiKey
from classifier.models.api_key import LONGEST_KEY_DAYS
from classifier.services.projects import InvalidName, clean_name
from ml.backbones.registry import BACKBONES
from ml.backbones.spec import TENSORFLOW
from ml.training.config import ConfigError, TrainConfig, names_of_group
from ml.training.recipes.registry import RECIPES
from ml.training.setting import bounds_of, extra_of


class AccountForm(BaseUserCreationForm):  # type: ignore[type-arg] # generic in the stubs only
    """A user name and a password, twice."""

    class Meta:
        model = get_user_model()
        fields = ("username",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].help_text = "Letters, digits and @ . + - _"
        self.fields["password1"].help_text = "At least 8 characters, and not a common password."
        self.fields["password2"].help_text = ""
        self.fields["password2"].label = "Repeat the password"
        self.fields["username"].widget.attrs["autocomplete"] = "username"

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if get_user_model().objects.filter(username__iexact=username).exists():
            raise ValidationError("This user name is already taken.")
        return username

    def clean_password1(self) -> str:
        password: str = self.cleaned_data["password1"]
        password_validation.validate_password(password)
        return password


class SetUpForm(AccountForm):
    """The first account; where the site asks for it, with the code from the log."""

    code = forms.CharField(
        label="Code from the log",
        help_text="The log of the web server shows it at its start, and “manage.py set_up_code” shows it again.",
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not settings.EXPOSED:
            del self.fields["code"]


class NameForm(forms.Form):
    """A name for a project, a class or a key."""

    name = forms.CharField(max_length=1000, strip=True)

    def __init__(self, *args: Any, longest: int = 100, label: str = "Name", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.longest = longest
        self.fields["name"].label = label

    def clean_name(self) -> str:
        try:
            return clean_name(self.cleaned_data["name"], longest=self.longest)
        except InvalidName as error:
            raise ValidationError(str(error)) from None


class KeyForm(NameForm):
    """A key for the API: its purpose, what it may do, and for how long it works."""

    scope = forms.ChoiceField(
        label="What may it do?",
        choices=[
            (ApiKey.Scope.CLASSIFY, "Classify pictures only"),
            (ApiKey.Scope.READ, "Look at everything and classify, and change nothing"),
            (ApiKey.Scope.EVERYTHING, "Everything that I may"),
        ],
        initial=ApiKey.Scope.EVERYTHING,
        required=False,
    )
    days = forms.IntegerField(
        label="For how many days?",
        help_text="Leave it empty for a key that works until you revoke it.",
        required=False,
        min_value=1,
        max_value=LONGEST_KEY_DAYS,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label="What is the key for?", **kwargs)

    def clean_scope(self) -> str:
        return self.cleaned_data["scope"] or ApiKey.Scope.EVERYTHING


class TrainForm(forms.Form):
    """The settings of a training, each as `TrainConfig` declares it; the defaults suit nearly everybody."""

    promote = forms.BooleanField(required=False, label="Make it live as soon as it is trained")

    def __init__(self, *args: Any, backbone: str, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, setting in TrainConfig.model_fields.items():
            self.fields[name] = make_setting_field(setting)
        choices = [(known.name, _about(known)) for known in list_backbones(user)]
        self.fields["backbone"] = forms.ChoiceField(choices=choices, initial=backbone, widget=forms.RadioSelect)
        self.fields["backbone"].required = False

    def group(self, group: str) -> list[forms.BoundField]:
        """List the fields of a group, but for choices and check boxes, which the page places by itself."""
        fields = [self[name] for name in names_of_group(group)]
        return [field for field in fields if not isinstance(field.field, forms.ChoiceField | forms.BooleanField)]

    @property
    def split_fields(self) -> list[forms.BoundField]:
        return self.group("split")

    @property
    def augmentation_fields(self) -> list[forms.BoundField]:
        return self.group("augmentation")

    @property
    def answers_fields(self) -> list[forms.BoundField]:
        return self.group("answers")

    @property
    def fine_tuning_fields(self) -> list[forms.BoundField]:
        return self.group("fine_tuning")

    @property
    def recipes(self) -> list[dict[str, Any]]:
        """List the recipes, each with its radio button and the fields that go with it alone."""
        radios = {radio.data["value"]: radio for radio in self["recipe"]}
        return [
            {"recipe": recipe, "radio": radios[name], "fields": [self[setting] for setting in recipe.own_settings]}
            for name, recipe in RECIPES.items()
        ]

    @property
    def bundled_backbones(self) -> list[Any]:
        """List the choices to show at once, with the one that is chosen already."""
        return [radio for radio in self["backbone"] if self._is_at_hand(radio)]

    @property
    def other_backbones(self) -> list[Any]:
        """List the many whose weights are downloaded first."""
        return [radio for radio in self["backbone"] if not self._is_at_hand(radio)]

    def _is_at_hand(self, radio: Any) -> bool:
        name = str(radio.data["value"])
        return name not in BACKBONES or BACKBONES[name].published is None or name == str(self["backbone"].value())

    def clean(self) -> dict[str, Any]:
        """Add `config`; what the config refuses is shown beside its field."""
        values = self.cleaned_data
        given = {name: values[name] for name in self._names_in_use() if values.get(name) not in (None, "")}
        if not self.errors:
            try:
                values["config"] = TrainConfig(**given)
            except ConfigError as error:
                self.add_error(error.field, str(error))
        return values

    def _names_in_use(self) -> list[str]:
        """Leave out the settings that the page hides: of other recipes, and of fine-tuning where there is none."""
        hidden = {
            name
            for recipe in RECIPES.values()
            if recipe.name != (self.cleaned_data.get("recipe") or "auto")
            for name in recipe.own_settings
        }
        if not self.cleaned_data.get("fine_tuning"):
            hidden |= set(names_of_group("fine_tuning"))
        return [name for name in TrainConfig.model_fields if name not in hidden]


def make_setting_field(setting: FieldInfo) -> forms.Field:
    """Make the form field of a setting; whether its value can be used, the config says."""
    words: dict[str, Any] = {"label": setting.title, "help_text": setting.description, "required": False}
    choices = extra_of(setting).get("choices")
    if choices:
        return forms.ChoiceField(
            choices=list(choices.items()), initial=setting.default, widget=forms.RadioSelect, **words
        )
    if setting.annotation is bool:
        return forms.BooleanField(initial=setting.default, **words)
    bounds = bounds_of(setting)
    if setting.annotation is int:
        widget = forms.NumberInput(attrs={"min": bounds["ge"], "max": bounds["le"]})
        return forms.IntegerField(initial=setting.default, widget=widget, **words)
    return forms.FloatField(initial=setting.default, **words)


def _about(backbone: BackboneInfo) -> str:
    """Describe a backbone in one line. A speed that has not been measured is not guessed."""
    parts = [
        f"{backbone.title}{' (default)' if backbone.default else ''}",
        f"{backbone.input_size} × {backbone.input_size} pixels",
        f"{backbone.features:,} features",
        backbone.licence,
    ]
    if backbone.engine == TENSORFLOW:
        parts.append("runs in TensorFlow on the worker, not in LiteRT")
    if backbone.images_per_second:
        parts.append(f"{backbone.images_per_second:,.0f} pictures per second on this machine")
    elif backbone.bundled:
        parts.append("speed measured the first time you train with it")
    return " · ".join(parts)
