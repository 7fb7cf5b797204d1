"""The form for what a class is called, and how it takes part."""

from typing import Any

from django import forms

from classifier.models import ImageClass
from classifier.services.classes import MAX_DESCRIPTION
from ml.datasets.class_names import MAX_CLASS_NAME_LENGTH


class ClassForm(forms.Form):
    """All fields of a class that people set."""

    name = forms.CharField(label="Name", max_length=MAX_CLASS_NAME_LENGTH)
    description = forms.CharField(
        label="Description",
        help_text="What belongs here and what does not, for whoever labels pictures.",
        max_length=MAX_DESCRIPTION,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    has_own_colour = forms.BooleanField(label="Use a colour of its own", required=False)
    colour = forms.CharField(label="Colour", required=False, widget=forms.TextInput(attrs={"type": "color"}))
    in_training = forms.BooleanField(
        label="Use its pictures for training",
        help_text="Without it, the class and its pictures are kept here, and trainings leave them out.",
        required=False,
    )
    is_negative = forms.BooleanField(
        label="This class stands for “none of these”",
        help_text="Its pictures show what a classifier may be shown and should not take for one of the other classes.",
        required=False,
    )

    @classmethod
    def of(cls, image_class: ImageClass) -> "ClassForm":
        """Return the form with what is true of the class."""
        values = {name: getattr(image_class, name) for name in cls.base_fields if hasattr(image_class, name)}
        own = {"has_own_colour": bool(image_class.colour), "colour": image_class.shown_colour}
        return cls(initial={**values, **own})

    def wanted(self) -> dict[str, Any]:
        """Return the fields of the class, once the form is valid."""
        fields = dict(self.cleaned_data)
        own, colour = fields.pop("has_own_colour"), fields.pop("colour")
        return {**fields, "colour": colour if own else ""}
