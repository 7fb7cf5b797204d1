"""What people say of a version."""

from django import forms


class VersionForm(forms.Form):
    """A name, a note, and whether it stands before the others."""

    name = forms.CharField(max_length=100, required=False, label="Name")
    note = forms.CharField(
        max_length=2000, required=False, label="Note", widget=forms.Textarea(attrs={"rows": 3, "cols": 40})
    )
    pinned = forms.BooleanField(required=False, label="Pin it: show it before the others")
