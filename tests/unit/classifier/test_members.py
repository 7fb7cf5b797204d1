"""Letting people into a project: invitations, members, teams, handing it on."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import IntegrityError, transaction
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import Invitation, Membership, ModelVersion, Project
from classifier.roles import Role
from classifier.selectors import find_role, list_projects
from classifier.services import accounts, members, teams
from classifier.services.accounts import NotAllowed, sign_up
from ml.errors import Conflict, UserError
from tests.unit.classifier.conftest import PASSWORD


@pytest.fixture
def friend(db: None) -> User:
    return User.objects.create_user("friend", password=PASSWORD)


@pytest.fixture
def as_friend(friend: User) -> Client:
    client = Client()
    client.force_login(friend)
    return client


def test_invitation_makes_a_member(project: Project, as_owner: Client, as_friend: Client, friend: User) -> None:
    as_owner.post(reverse("member_invite", args=["colours"]), {"role": "editor", "places": 1, "days": 7})
    address = reverse("invitation", args=[Invitation.objects.get().token])
    assert address in as_owner.get(reverse("members", args=["colours"])).content.decode()
    assert "Colours" in as_friend.get(address).content.decode()
    assert find_role(friend, project) is None  # to open it is not to accept it
    assert as_friend.post(f"{address}/accept").status_code == 302
    assert find_role(friend, project) is Role.EDITOR
    assert as_friend.get(address).status_code == 404


@pytest.mark.parametrize("why", ["used", "expired", "revoked", "made up"])
def test_invitation_that_is_over_lets_nobody_in(why: str, project: Project, owner: User, friend: User) -> None:
    invitation = members.invite(project, Role.VIEWER, by=owner)
    token = "made-up" if why == "made up" else invitation.token
    if why == "used":
        Invitation.objects.update(taken=1)
    if why == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    if why == "revoked":
        members.revoke_invitation(invitation)
    with pytest.raises(members.NotInvited):
        members.accept(token, by=friend)
    assert not list_projects(friend, Role.CLASSIFIER).exists()


def test_invitation_lets_in_as_many_as_it_says(project: Project, owner: User) -> None:
    token = members.invite(project, Role.VIEWER, by=owner, places=2).token
    people = [User.objects.create_user(f"pupil{number}") for number in range(3)]
    for person in people[:2]:
        members.accept(token, by=person)
        members.accept(token, by=person) if person is people[0] else None  # twice takes no second place
    with pytest.raises(members.NotInvited):
        members.accept(token, by=people[2])


def test_invitation_takes_no_role_away(project: Project, owner: User, friend: User) -> None:
    members.add_member(project, "friend", Role.EDITOR, by=owner)
    token = members.invite(project, Role.VIEWER, by=owner).token
    members.accept(token, by=friend)
    members.accept(token, by=owner)
    assert (find_role(friend, project), find_role(owner, project)) == (Role.EDITOR, Role.OWNER)
    assert Invitation.objects.get().taken == 0


def test_invitation_is_sent_by_mail(project: Project, as_owner: Client, settings: Any) -> None:
    settings.MAIL_IS_SET_UP = True
    given = {"role": "viewer", "places": 1, "days": 7, "email": "friend@example.org"}
    as_owner.post(reverse("member_invite", args=["colours"]), given)
    (sent,) = mail.outbox
    assert (sent.to, Invitation.objects.get().email) == (["friend@example.org"], "friend@example.org")
    assert Invitation.objects.get().token in sent.body
    for _ in range(members.MOST_MAILS):
        as_owner.post(reverse("member_invite", args=["colours"]), given)
    assert len(mail.outbox) == members.MOST_MAILS


def test_mail_that_cannot_be_sent_leaves_the_link(
    project: Project, owner: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ConnectionRefusedError

    settings.MAIL_IS_SET_UP = True
    monkeypatch.setattr(members, "send_mail", fail)
    invitation = members.invite(project, Role.VIEWER, by=owner, email="friend@example.org")
    assert invitation.email == ""
    assert invitation.is_open


def test_stranger_with_an_invitation_makes_an_account(
    project: Project, owner: User, client: Client, settings: Any
) -> None:
    token = members.invite(project, Role.CLASSIFIER, by=owner).token
    settings.SIGNUP = "invitation"
    form = {"username": "pupil", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post(reverse("sign_up"), form).status_code == 404
    assert client.post(f"{reverse('sign_up')}?invitation=made-up", form).status_code == 404
    page = client.get(reverse("invitation", args=[token])).content.decode()
    assert "Make an account" in page
    response = client.post(f"{reverse('sign_up')}?invitation={token}", form)
    assert response["Location"] == reverse("project_list")
    assert "Colours" in client.get(reverse("project_list")).content.decode()
    assert project.memberships.get(user__username="pupil").role == Role.CLASSIFIER
    settings.SIGNUP = "closed"
    assert "Make an account" not in Client().get(reverse("invitation", args=[token])).content.decode()


def test_invitation_for_one_makes_one_account(project: Project, owner: User, settings: Any) -> None:
    settings.SIGNUP = "invitation"
    token = members.invite(project, Role.CLASSIFIER, by=owner).token
    sign_up("first", PASSWORD, invitation=token)
    with pytest.raises(NotAllowed):
        sign_up("second", PASSWORD, invitation=token)
    form = {"username": "third", "password1": PASSWORD, "password2": PASSWORD}
    assert Client().post(f"{reverse('sign_up')}?invitation={token}", form).status_code == 404
    assert not User.objects.filter(username__in=["second", "third"]).exists()


def test_place_that_others_take_at_the_same_moment_makes_no_account(
    project: Project, owner: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SIGNUP = "invitation"
    token = members.invite(project, Role.CLASSIFIER, by=owner).token
    Invitation.objects.update(taken=F("places"))
    monkeypatch.setattr(accounts, "may_sign_up", lambda invitation: True)  # it was free a moment ago
    with pytest.raises(NotAllowed):
        sign_up("late", PASSWORD, invitation=token)
    assert not User.objects.filter(username="late").exists()


def test_classifier_sees_the_form_and_nothing_else(
    trained: ModelVersion, owner: User, friend: User, as_friend: Client
) -> None:
    members.add_member(trained.project, "friend", Role.CLASSIFIER, by=owner)
    home = as_friend.get(reverse("project_list")).content.decode()
    assert "Colours" in home
    assert "thumbnail" not in home
    assert "/images/" not in home
    response = as_friend.get(reverse("project", args=["colours"]))
    assert response["Location"] == reverse("classify", args=["colours"])
    page = as_friend.get(response["Location"]).content.decode()
    assert reverse("versions", args=["colours"]) not in page
    assert b"Colours" not in as_friend.get(reverse("all_jobs")).content


def test_viewer_is_not_shown_what_would_be_refused(
    trained: ModelVersion, owner: User, as_friend: Client, as_owner: Client, friend: User
) -> None:
    members.add_member(trained.project, "friend", Role.VIEWER, by=owner)
    page = as_friend.get(reverse("project", args=["colours"])).content.decode()
    assert 'class="looks-only"' in page
    assert reverse("train", args=["colours"]) not in page
    assert 'class="looks-only"' not in as_owner.get(reverse("project", args=["colours"])).content.decode()


def test_team_brings_its_role_as_long_as_one_is_in_it(project: Project, owner: User, friend: User) -> None:
    team = teams.create_team("Class 7b", by=owner)
    members.add_team(project, team, Role.VIEWER, by=owner)
    assert find_role(friend, project) is None
    teams.add_to_team(team, "FRIEND")
    assert find_role(friend, project) is Role.VIEWER
    with pytest.raises(Conflict, match="Leave the team"):
        members.leave(project, by=friend)
    members.add_member(project, "friend", Role.EDITOR, by=owner)
    assert find_role(friend, project) is Role.EDITOR  # the more powerful of the two
    members.leave(project, by=friend)
    teams.remove_from_team(team, friend)
    assert find_role(friend, project) is None


def test_team_of_others_is_nobodys_business(owner: User, as_friend: Client, friend: User) -> None:
    team = teams.create_team("Class 7b", by=owner)
    for name, more in (
        ("team_add", []),
        ("team_delete", []),
        ("team_remove", [owner.pk]),
        ("team_remove", [friend.pk]),
    ):
        assert as_friend.post(reverse(name, args=[team.pk, *more]), {"username": "friend"}).status_code == 404
    assert "Class 7b" not in as_friend.get(reverse("teams")).content.decode()
    teams.add_to_team(team, "friend")
    assert "Class 7b" in as_friend.get(reverse("teams")).content.decode()
    assert as_friend.post(reverse("team_remove", args=[team.pk, owner.pk])).status_code == 404
    assert as_friend.post(reverse("team_remove", args=[team.pk, friend.pk])).status_code == 302
    assert list(team.members.all()) == [owner]


def test_stranger_cannot_give_a_team_of_others_a_role(project: Project, owner: User, stranger: User) -> None:
    theirs = teams.create_team("Theirs", by=stranger)
    with pytest.raises(UserError, match="no team with this number"):
        teams.find_team(owner, theirs.pk)


def test_project_is_handed_on_to_a_member(project: Project, owner: User, friend: User) -> None:
    with pytest.raises(members.NoSuchPerson):
        members.hand_on(project, "friend", by=owner)
    members.add_member(project, "friend", Role.VIEWER, by=owner)
    members.hand_on(project, "friend", by=owner)
    project.refresh_from_db()
    assert project.owner == friend
    assert find_role(owner, project) is Role.EDITOR
    assert Membership.objects.count() == 1
    with pytest.raises(members.NoSuchPerson):  # it is theirs no longer
        members.hand_on(project, "friend", by=owner)


def test_owner_cannot_leave_or_be_made_less(project: Project, owner: User) -> None:
    with pytest.raises(members.OwnerStays):
        members.leave(project, by=owner)
    with pytest.raises(members.OwnerStays):
        members.add_member(project, "owner", Role.VIEWER, by=owner)


def test_owner_is_no_role_to_give(project: Project, owner: User, friend: User, as_owner: Client) -> None:
    with pytest.raises(UserError):
        members.add_member(project, "friend", Role.OWNER, by=owner)
    with pytest.raises(UserError):
        members.invite(project, Role.OWNER, by=owner)
    member = members.add_member(project, "friend", Role.VIEWER, by=owner)
    as_owner.post(reverse("member_role", args=["colours", member.pk]), {"role": "owner"})
    assert find_role(friend, project) is Role.VIEWER
    as_owner.post(reverse("member_role", args=["colours", member.pk]), {"role": "editor"})
    assert find_role(friend, project) is Role.EDITOR


@pytest.mark.parametrize("given", [{}, {"username": "friend", "team": True}, {"username": "nobody"}])
def test_form_says_what_is_wrong(given: dict[str, Any], project: Project, owner: User, as_owner: Client) -> None:
    team = teams.create_team("Class 7b", by=owner)
    values = {key: team.pk if key == "team" else value for key, value in given.items()}
    response = as_owner.post(reverse("member_add", args=["colours"]), {**values, "role": "viewer"})
    assert response.status_code == 422
    assert 'class="error"' in response.content.decode()
    assert not Membership.objects.exists()


def test_database_keeps_a_membership_of_one(project: Project, friend: User, owner: User) -> None:
    team = teams.create_team("Class 7b", by=owner)
    for wrong in ({}, {"user": friend, "team": team}, {"user": friend, "role": "owner"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Membership.objects.create(project=project, **{"role": "viewer", **wrong})


def test_number_of_members_is_bounded(project: Project, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MOST_MEMBERS", 1)
    members.invite(project, Role.VIEWER, by=owner)
    with pytest.raises(members.TooManyMembers):
        members.invite(project, Role.VIEWER, by=owner)
