"""Who belongs to a project: members and their roles, teams as members, invitations, and handing it on."""

import secrets
from datetime import timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from classifier.models import Invitation, Membership, Project, Team
from classifier.roles import GIVEN, MAY, Role
from classifier.services.audit_log import record
from ml.errors import Conflict, Refused

log = structlog.get_logger(__name__)

MOST_MEMBERS = 1000  # of a project, invitations included
MOST_PLACES = 200  # of an invitation: a school's year
MOST_DAYS = 90
MOST_MAILS = 20  # of one user in an hour


class BadInvitation(Refused):
    """The message says what an invitation may be."""


class NotInvited(Refused):
    """The link is not, or no longer, an invitation."""

    status = 404

    def __init__(self) -> None:
        super().__init__("This invitation has been used, revoked or has expired. Ask for a new one.")


class NoSuchPerson(Refused):
    """Nobody can be found by what was given."""


class TooManyMembers(Conflict):
    """The project has as many members as are allowed."""

    def __init__(self) -> None:
        super().__init__(f"A project has at most {MOST_MEMBERS} members. Make a team of them, or remove some.")


class OwnerStays(Conflict):
    """The owner cannot leave or be given a lesser role."""

    def __init__(self) -> None:
        super().__init__("A project needs an owner. Hand it on to somebody first.")


def list_members(project: Project) -> QuerySet[Membership]:
    """List the members of a project besides its owner, in the order in which they came."""
    return project.memberships.select_related("user", "team")


def invite(project: Project, role: Role, *, by: User, days: int = 7, places: int = 1, email: str = "") -> Invitation:
    """Make a link with which so many people become members, for so many days; send it where an address is given.

    Its `email` is empty where the mail could not be sent. Raise BadInvitation, TooManyMembers.
    """
    if role not in GIVEN:
        raise BadInvitation("Choose one of the roles editor, viewer and classifier.")
    if not 1 <= days <= MOST_DAYS or not 1 <= places <= MOST_PLACES:
        raise BadInvitation(f"An invitation is for 1 to {MOST_PLACES} people and works for 1 to {MOST_DAYS} days.")
    if email:
        _check_mail(by)
    _check_number(project)
    invitation = Invitation.objects.create(
        project=project,
        role=role,
        token=secrets.token_urlsafe(24),
        places=places,
        expires_at=timezone.now() + timedelta(days=days),
        created_by=by,
    )
    if email:
        invitation.email = _mail(invitation, email, by)
        invitation.save(update_fields=["email"])
    record("invitation.created", project, by=by, role=role, places=places)
    log.info("invited", project=project.pk, role=str(role), places=places)
    return invitation


def invitation_address(invitation: Invitation) -> str:
    """Return the link, with which anybody who has it can become a member."""
    return settings.SITE_ORIGIN + reverse("invitation", args=[invitation.token])


def list_invitations(project: Project) -> QuerySet[Invitation]:
    """List the invitations that somebody may still use."""
    return project.invitations.filter(taken__lt=F("places"), expires_at__gt=timezone.now())


def find_invitation(token: str) -> Invitation:
    """Return the open invitation with this token. Raise NotInvited."""
    found = (
        Invitation.objects.filter(token=token, project__deleted_at=None)
        .select_related("project__owner", "created_by")
        .first()
    )
    if found is None or not found.is_open:
        raise NotInvited
    return found


def accept(token: str, *, by: User) -> Project:
    """Let a user become a member by an invitation; whoever has a better role already keeps it. Raise NotInvited."""
    with transaction.atomic():
        invitation = find_invitation(token)
        project = invitation.project
        known = project.memberships.filter(user=by).first()
        role = Role(invitation.role)
        if project.owner_id == by.pk or (known is not None and Role(known.role).reaches(role)):
            return project
        took = Invitation.objects.filter(pk=invitation.pk, taken__lt=F("places")).update(taken=F("taken") + 1)
        if took != 1:
            raise NotInvited
        _set(project, role, by=invitation.created_by, user=by)
        record("member.joined", project, by=by, role=role)
    log.info("joined", project=project.pk, role=str(role))
    return project


def revoke_invitation(invitation: Invitation) -> None:
    """Take an invitation back; who has used it stays a member."""
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now())
    record("invitation.revoked", invitation.project, role=invitation.role)


def add_member(project: Project, username: str, role: Role, *, by: User) -> Membership:
    """Give a role to a user with this name. Raise NoSuchPerson, OwnerStays, TooManyMembers."""
    user = User.objects.filter(username__iexact=username.strip(), is_active=True).first()
    if user is None:
        raise NoSuchPerson("Nobody with an account here has this user name. Send an invitation instead.")
    if user.pk == project.owner_id:
        raise OwnerStays
    _check_number(project)
    made = _set(project, role, by=by, user=user)
    record("member.added", project, by=by, member=user.username, role=role)
    return made


def add_team(project: Project, team: Team, role: Role, *, by: User) -> Membership:
    """Give a role to a team, and so to all that are or will be in it. Raise TooManyMembers."""
    _check_number(project)
    made = _set(project, role, by=by, team=team)
    record("member.added", project, by=by, team=team.name, role=role)
    return made


def change_role(membership: Membership, role: Role) -> None:
    """Give a member another role."""
    Membership.objects.filter(pk=membership.pk).update(role=_given(role))
    record("member.role", membership.project, member=membership.who, role=role)


def remove_member(membership: Membership) -> None:
    """Let somebody, or a team, be no member any longer. What they did stays."""
    membership.delete()
    record("member.removed", membership.project, member=membership.who)


def leave(project: Project, *, by: User) -> None:
    """Let a member leave. Raise OwnerStays, and Conflict where the role comes from a team."""
    if project.owner_id == by.pk:
        raise OwnerStays
    if not project.memberships.filter(user=by).delete()[0]:
        raise Conflict("You are here as a member of a team. Leave the team instead.")
    record("member.left", project, by=by)


def hand_on(project: Project, username: str, *, by: User) -> User:
    """Make a member the owner; whoever owned it becomes an editor. Raise NoSuchPerson."""
    with transaction.atomic():
        taken = Project.objects.select_for_update().get(pk=project.pk)
        teams = Q(teams__project_memberships__project=taken)
        members = User.objects.filter(Q(project_memberships__project=taken) | teams, is_active=True).distinct()
        heir = members.filter(username__iexact=username.strip()).exclude(pk=by.pk).first()
        if heir is None or taken.owner_id != by.pk:
            raise NoSuchPerson("No member of this project has this user name. Invite them first.")
        taken.memberships.filter(user=heir).delete()
        Project.objects.filter(pk=taken.pk).update(owner=heir)
        _set(taken, Role.EDITOR, by=heir, user=by)
        record("project.handed_on", taken, by=by, owner=heir.username)
    log.info("handed_on", project=project.pk, owner=heir.pk)
    return heir


def _given(role: Role) -> Role:
    if role not in GIVEN:
        raise BadInvitation("A project has one owner, who can hand it on.")
    return role


def _set(
    project: Project, role: Role, *, by: User | None, user: User | None = None, team: Team | None = None
) -> Membership:
    values = {"role": _given(role), "created_by": by}
    return Membership.objects.update_or_create(project=project, user=user, team=team, defaults=values)[0]


def _check_number(project: Project) -> None:
    if project.memberships.count() + list_invitations(project).count() >= MOST_MEMBERS:
        raise TooManyMembers


def _check_mail(by: User) -> None:
    if not settings.MAIL_IS_SET_UP:
        raise BadInvitation("This site cannot send mails. Leave the address out, and pass the link on yourself.")
    sent = Invitation.objects.filter(created_by=by, created_at__gt=timezone.now() - timedelta(hours=1)).exclude(
        email=""
    )
    if sent.count() >= MOST_MAILS:
        raise BadInvitation(f"You have sent {MOST_MAILS} mails within an hour. Pass the link on yourself, or wait.")


def _mail(invitation: Invitation, address: str, by: User) -> str:
    """Send the link to the invitation's address, and return that, or nothing where it could not be sent."""
    project = " ".join(invitation.project.name.split())
    text = "\n\n".join(
        (
            f"{by.username} invites you to the project “{project}”, where you may {MAY[Role(invitation.role)]}.",
            invitation_address(invitation),
            f"The link works until {invitation.expires_at:%d %B %Y}. If you do not know {by.username}, ignore this.",
        )
    )
    try:
        send_mail(f"{by.username} invites you to “{project}”", text, None, [address])
    except OSError as error:  # smtplib's errors are such
        log.warning("invitation_not_sent", error=str(error))
        return ""
    return address
