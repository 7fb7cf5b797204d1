"""The forms with which people are let into a project."""

from typing import Any

from django import forms
from django.contrib.auth.models import User

from classifier.models import Team
from classifier.roles import GIVEN, MAY, Role
from classifier.services.members import MOST_DAYS, MOST_PLACES
from classifier.services.teams import list_teams

CHOICES = [(role.value, f"{role.label}: may {MAY[role]}") for role in GIVEN]


class RoleField(forms.ChoiceField):
    """A choice among the roles that can be given, each with what it may do."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=CHOICES, label="Role", initial=Role.VIEWER, **options)

    def clean(self, value: Any) -> Role:
        return Role(super().clean(value))


class InvitationForm(forms.Form):
    """Whom a link lets in, for how long."""

    role = RoleField()
    places = forms.IntegerField(label="For how many people", min_value=1, max_value=MOST_PLACES, initial=1)
    days = forms.IntegerField(label="Works for so many days", min_value=1, max_value=MOST_DAYS, initial=7)
    email = forms.EmailField(
        label="Send it to",
        required=False,
        help_text="An e-mail address; or leave it out, and pass the link on yourself.",
    )

    def __init__(self, *args: Any, with_mail: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not with_mail:
            del self.fields["email"]


class MemberForm(forms.Form):
    """Somebody who has an account here, or a team, and the role."""

    username = forms.CharField(label="User name", required=False, max_length=150)
    team = forms.ModelChoiceField(Team.objects.none(), label="or team", required=False, empty_label="no team")
    role = RoleField()

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams = list_teams(user)
        self.fields["username"].widget.attrs["autocomplete"] = "off"
        if teams.exists():
            self.fields["team"].queryset = teams  # type: ignore[attr-defined] # of this kind of field
        else:
            del self.fields["team"]

    def clean(self) -> None:
        given = [name for name in ("username", "team") if self.cleaned_data.get(name)]
        if len(given) != 1 and not self.errors:
            self.add_error("username", "Give a user name or choose a team." if not given else "Give one of the two.")
