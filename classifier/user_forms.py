"""The forms of the administrator's pages about users."""

from typing import Any

from django import forms


class UserForm(forms.Form):
    """An account that the administrator makes for somebody, who sets the password."""

    username = forms.CharField(label="User name", max_length=150, help_text="Letters, digits and @ . + - _")
    email = forms.EmailField(label="E-mail address", required=False, help_text="May be left out.")
    administrator = forms.BooleanField(label="An administrator", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs["autocomplete"] = "off"


class QuotaForm(forms.Form):
    """How much somebody may have, instead of what the settings say."""

    pictures = forms.IntegerField(label="Most pictures", required=False, min_value=0, max_value=2**31 - 1)
    gb = forms.IntegerField(label="Most GB", required=False, min_value=0, max_value=10**6)
    jobs = forms.IntegerField(label="Most open jobs", required=False, min_value=0, max_value=10**6)
    requests = forms.IntegerField(label="Most requests an hour", required=False, min_value=0, max_value=10**9)
