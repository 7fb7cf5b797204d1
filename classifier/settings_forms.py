"""What people decide for a project as a whole."""

from typing import Any

from django import forms


class ProjectSettingsForm(forms.Form):
    """Whether it is always up to date, and the quality gate."""

    least_accuracy = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=100,
        label="Accuracy of at least, in %",
        help_text="Of all classes together. Leave it empty for no condition.",
    )
    least_recall = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=100,
        label="Recall of each class of at least, in %",
        help_text="Of the test pictures of a class, how many are recognised. Leave it empty for no condition.",
    )
    up_to_date = forms.BooleanField(required=False, label="Always up to date")
    keeps_passing = forms.BooleanField(
        required=False, label="Keep what passes the quality gate as a version, and make it live"
    )
    not_worse = forms.BooleanField(required=False, label="Not clearly worse than the live version on the same pictures")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("least_accuracy", "least_recall"):
            self.fields[name].widget.attrs["aria-describedby"] = f"id_{name}_helptext"
