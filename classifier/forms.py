from typing import Any

from django import forms
from django.contrib.auth import get_user_model, password_validation
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from classifier.catalogue import Listed, list_backbones
from classifier.services.projects import InvalidName, clean_name
from ml.backbones.registry import BACKBONES
from ml.backbones.spec import TENSORFLOW
from ml.training.config import DISTORTIONS, FINE_TUNING, RECIPES, TUNING_FIELDS, ConfigError, TrainConfig


class AccountForm(BaseUserCreationForm):
    """A user name and a password, twice."""

    class Meta:
        model = get_user_model()
        fields = ("username",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].help_text = "Letters, digits and @ . + - _"
        self.fields["password1"].help_text = "At least 8 characters, and not a common password."
        self.fields["password2"].help_text = ""
        self.fields["password2"].label = "Password again"
        self.fields["username"].widget.attrs["autocomplete"] = "username"

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if get_user_model().objects.filter(username__iexact=username).exists():
            raise ValidationError("This user name is taken.")
        return username

    def clean_password1(self) -> str:
        password: str = self.cleaned_data["password1"]
        password_validation.validate_password(password)
        return password


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


class TrainForm(forms.Form):
    """The settings of a training; the defaults suit nearly everybody."""

    recipe = forms.ChoiceField(choices=list(RECIPES.items()), initial="auto", widget=forms.RadioSelect)
    backbone = forms.ChoiceField(widget=forms.RadioSelect)
    steps = forms.IntegerField(initial=500, help_text="How many training steps.")
    learning_rate = forms.FloatField(initial=0.01, help_text="How large a step is.")
    batch_size = forms.IntegerField(initial=100, label="Training batch size", help_text="Pictures in a step.")
    validation_percentage = forms.IntegerField(initial=10, help_text="Of each class; for choosing settings.")
    testing_percentage = forms.IntegerField(initial=10, help_text="Of each class; for the honest figure at the end.")
    seed = forms.IntegerField(initial=0, help_text="The same seed gives the same version.")
    flip_left_right = forms.BooleanField(label="Mirror left and right")
    random_crop = forms.IntegerField(initial=0, label="Random crop, %", help_text="How much is cut off; 0: nothing.")
    random_scale = forms.IntegerField(initial=0, label="Random scale, %", help_text="Up to how much larger.")
    random_brightness = forms.IntegerField(
        initial=0, label="Random brightness, %", help_text="Up to how much lighter or darker."
    )
    distorted_views = forms.IntegerField(
        initial=4, label="Views of each picture", help_text="1 to 16. Mirroring alone gives one."
    )
    fine_tuning = forms.ChoiceField(choices=list(FINE_TUNING.items()), initial="", widget=forms.RadioSelect)
    fine_tuning_epochs = forms.IntegerField(
        initial=10, label="Epochs at most", help_text="How often each picture is shown: 1 to 100."
    )
    fine_tuning_rate = forms.FloatField(
        initial=0.0001, label="Fine-tuning rate", help_text="How large a step is: small, or it forgets what it knows."
    )
    promote = forms.BooleanField(required=False, label="Make it live as soon as it is trained")

    def __init__(self, *args: Any, backbone: str, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["backbone"]
        assert isinstance(choice, forms.ChoiceField)  # noqa: S101 - for the type checker
        choice.choices = [(known.name, _about(known)) for known in list_backbones(user)]
        self.fields["backbone"].initial = backbone
        for name, field in self.fields.items():
            if name != "promote":
                field.required = False

    @property
    def bundled_backbones(self) -> list[Any]:
        """The choices to show at once, with the one that is chosen already."""
        return [radio for radio in self["backbone"] if self._is_at_hand(radio)]

    @property
    def other_backbones(self) -> list[Any]:
        """The many whose weights are downloaded first."""
        return [radio for radio in self["backbone"] if not self._is_at_hand(radio)]

    def _is_at_hand(self, radio: Any) -> bool:
        name = str(radio.data["value"])
        return name not in BACKBONES or BACKBONES[name].published is None or name == str(self["backbone"].value())

    def clean(self) -> dict[str, Any]:
        """Adds `config`; what the config refuses is shown beside its field."""
        values = self.cleaned_data
        given = {name: values[name] for name in self._config_fields() if values.get(name) not in (None, "")}
        if not self.errors:
            try:
                values["config"] = TrainConfig(**given)
            except ConfigError as error:
                self.add_error(error.field, str(error))
        return values

    def _config_fields(self) -> list[str]:
        """Expert settings of the other recipe, and of fine-tuning where there is none, are left alone: the page hides
        them."""
        common = ["recipe", "backbone", "validation_percentage", "testing_percentage", "seed"]
        common += [*DISTORTIONS, "distorted_views"]
        poets = ["steps", "learning_rate", "batch_size"]
        if self.cleaned_data.get("fine_tuning"):
            common += TUNING_FIELDS
        return common + (poets if self.cleaned_data.get("recipe") == "poets" else [])


def _about(backbone: Listed) -> str:
    """One line of what sets it apart. A speed that nobody has measured is not guessed."""
    parts = [
        f"{backbone.title}{' (default)' if backbone.default else ''}",
        f"{backbone.input_size} × {backbone.input_size} pixels",
        f"{backbone.features:,} features",
        backbone.licence,
    ]
    if backbone.engine == TENSORFLOW:
        parts.append("runs in TensorFlow on the worker, not in LiteRT")
    if backbone.images_per_second:
        parts.append(f"{backbone.images_per_second:,.0f} pictures a second on this machine")
    elif backbone.bundled:
        parts.append("prepared and measured at its first training")
    return " · ".join(parts)
