"""Forms for networks that people add."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from ml.backbones.spec import MAX_INPUT_SIZE

RANGE_CHOICES = [
    ("", "The usual range for this kind of file"),
    ("0..1", "0 to 1 (TF Hub, TensorFlow Serving)"),
    ("-1..1", "-1 to 1 (Teachable Machine, TensorFlow Lite)"),
    ("0..255", "0 to 255 (the pixels as they are)"),
    ("label_image", "Mean 128, standard deviation 128 (TensorFlow for Poets)"),
]


FRAMING_CHOICES = [
    ("", "The usual framing for this kind of file"),
    ("whole", "The whole picture, squeezed into a square"),
    ("centre", "The square in the middle (Teachable Machine)"),
    ("unsmoothed", "The whole picture, without smoothing (TensorFlow for Poets)"),
]


def range_title(name: str) -> str:
    """Return what people call a range."""
    return dict(RANGE_CHOICES).get(name) or name.replace("..", " to ")


def framing_title(name: str) -> str:
    """Return what people call a framing."""
    return dict(FRAMING_CHOICES).get(name) or name


class NetworkInterfaceForm(forms.Form):
    """What a file does not always say of itself."""

    range = forms.ChoiceField(
        choices=RANGE_CHOICES,
        required=False,
        label="Input range",
        help_text="The range of pixel values that the network expects.",
    )
    framing = forms.ChoiceField(
        choices=FRAMING_CHOICES,
        required=False,
        label="Framing",
        help_text="How a picture is made square for it.",
    )
    input_size = forms.IntegerField(
        required=False,
        min_value=8,
        max_value=MAX_INPUT_SIZE,
        label="Picture size",
        help_text="In pixels, if the file does not say. Usually 224.",
    )

    def asked(self) -> dict[str, Any]:
        return {
            name: self.cleaned_data[name] for name in ("range", "framing", "input_size") if name in self.cleaned_data
        }


class BackboneForm(NetworkInterfaceForm):
    """A backbone from an address or a file."""

    address = forms.CharField(
        required=False,
        max_length=2000,
        label="Address",
        help_text="A TensorFlow Hub address, or the address of a file.",
    )
    file = forms.FileField(
        required=False,
        label="Or a file",
        help_text="A SavedModel as .zip or .tar.gz, or a .tflite, .keras, .h5 or frozen .pb file.",
    )
    title = forms.CharField(required=False, max_length=100, help_text="Its name in your lists.")
    licence = forms.CharField(required=False, max_length=100, help_text="If you know it, for example Apache-2.0.")

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not self.errors and bool(values.get("address")) == bool(values.get("file")):
            self.add_error("address", ValidationError("Give either an address or a file."))
        return values


class ImportForm(NetworkInterfaceForm):
    """A classifier that was trained elsewhere."""

    graph = forms.FileField(
        label="Classifier file",
        help_text="A retrained_graph.pb, .tflite, .keras or .h5 file, zipped SavedModel, or Teachable Machine export.",
    )
    labels = forms.FileField(
        required=False,
        help_text="One label per line, as in retrained_labels.txt. Not needed if the archive contains them.",
    )
    output = forms.CharField(
        required=False,
        max_length=200,
        label="Output",
        help_text="The output of a frozen graph, if it is not called final_result.",
    )

    promote = forms.BooleanField(required=False, label="Make it live as soon as it is imported")

    def asked(self) -> dict[str, Any]:
        more = {name: self.cleaned_data.get(name) for name in ("output", "promote")}
        return {**super().asked(), **more}


class ReimportForm(forms.Form):
    """How an imported version is to see pictures instead."""

    range = forms.ChoiceField(choices=[("", "As it is"), *RANGE_CHOICES[1:]], required=False, label="Input range")
    framing = forms.ChoiceField(choices=[("", "As it is"), *FRAMING_CHOICES[1:]], required=False, label="Framing")
    promote = forms.BooleanField(required=False, label="Make it live as soon as it is made")
