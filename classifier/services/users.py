"""What the administrator does with accounts: make and disable them, give them a new password, make administrators."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Q, QuerySet, Sum
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django_otp.plugins.otp_totp.models import TOTPDevice

from classifier.models import Account, ApiKey, Passkey, Project, Sample
from classifier.services.audit_log import record
from classifier.services.mails import send
from classifier.services.sessions import end_sessions
from ml.errors import Conflict, Refused

LINK_DAYS = settings.PASSWORD_RESET_TIMEOUT // 86400
SHOWN = 50  # users on a page
QUOTAS = ("pictures", "gb", "jobs", "requests")  # which may be set for one user


class BadAccount(Refused):
    """The message says what an account may be called."""


class NotYourself(Conflict):
    """Administrators do not shut themselves out."""

    def __init__(self) -> None:
        super().__init__("This is your own account. Another administrator can do that.")


class LastAdministrator(Conflict):
    """A site needs somebody who can help the others."""

    def __init__(self) -> None:
        super().__init__("This is the last administrator. Make somebody else an administrator first.")


class Disabled(Conflict):
    """Nobody can sign in to this account."""

    def __init__(self) -> None:
        super().__init__("This account is disabled or deleted. Enable or restore it first.")


@dataclass(frozen=True)
class UserRow:
    """A user with what the list tells: `bytes` are those of the pictures in their projects."""

    user: User
    projects: int
    bytes: int
    seen_at: datetime | None
    deleted_at: datetime | None
    has_second_factor: bool


def list_users(search: str = "") -> QuerySet[User]:
    """List the users, those in the trash too, by name: all, or those whose name or address contains this."""
    users = User.objects.order_by("username").select_related("account")
    return users.filter(Q(username__icontains=search) | Q(email__icontains=search)) if search else users


def describe_users(users: list[User]) -> list[UserRow]:
    """Tell about each of these users, with as many questions to the database as for one."""
    projects = Project.objects.filter(owner__in=users, deleted_at=None).order_by().values_list("owner")
    counted: dict[int, int] = dict(projects.annotate(n=Count("pk")))
    samples = Sample.objects.filter(project__owner__in=users).order_by().values_list("project__owner")
    sizes: dict[int, int] = dict(samples.annotate(n=Sum("image__size")))
    keys = ApiKey.objects.filter(user__in=users).order_by().values_list("user")
    used: dict[int, datetime | None] = dict(keys.annotate(at=Max("last_used_at")))
    secured = set(TOTPDevice.objects.filter(user__in=users, confirmed=True).values_list("user", flat=True))
    secured |= set(Passkey.objects.filter(user__in=users).values_list("user", flat=True))
    found = []
    for user in users:
        account = account_of(user)
        times = [at for at in (account.seen_at, user.last_login, used.get(user.pk)) if at]
        row = UserRow(
            user,
            counted.get(user.pk, 0),
            sizes.get(user.pk, 0),
            max(times, default=None),
            account.deleted_at,
            user.pk in secured,
        )
        found.append(row)
    return found


def account_of(user: User) -> Account:
    """Return what is known of a user besides Django's: an unsaved row where there is nothing."""
    return getattr(user, "account", None) or Account(user=user)


def create_user(username: str, *, email: str = "", administrator: bool = False) -> User:
    """Make an account without a password, which its user sets with a link. Raise BadAccount."""
    name = _clean_username(username)
    if email:
        _check_email(email)
    if User.objects.filter(username__iexact=name).exists():
        raise BadAccount("This user name is already taken.")
    try:
        with transaction.atomic():
            user = User.objects.create_user(name, email, is_superuser=administrator, is_staff=administrator)
            record("user.created", name, administrator=administrator)
            return user
    except IntegrityError:  # somebody took the name since
        raise BadAccount("This user name is already taken.") from None


def _clean_username(username: str) -> str:
    field: Any = User._meta.get_field("username")
    try:
        return str(field.clean(User.normalize_username(username.strip()), None))
    except ValidationError:
        raise BadAccount("A user name has at most 150 letters, digits and @ . + - _") from None


def _check_email(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError:
        raise BadAccount("This is not an e-mail address.") from None


def make_password_link(user: User) -> str:
    """Return a link with which a password is set, once, within some days. Raise Disabled."""
    if not user.is_active:
        raise Disabled
    record("user.link", user.username)
    return password_link(user)


def password_link(user: User) -> str:
    """Return a link with which a password is set; see `make_password_link`, which writes it down."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return settings.SITE_ORIGIN + reverse("set_password", args=[uid, default_token_generator.make_token(user)])


def mail_password_link(user: User, link: str) -> bool:
    """Send the link to the user, and return whether that was possible."""
    if not settings.MAIL_IS_SET_UP or not user.email:
        return False
    return send(
        user.email,
        "Set your password",
        f"With this link you set the password of your account “{user.username}” on {settings.SITE_URL}:",
        link,
        f"It works once, within {LINK_DAYS} days. If you do not know what this is, ignore it.",
    )


def disable_user(user: User, *, by: User | None, **details: str) -> None:
    """Let nobody sign in to this account; its sessions end and its keys stop. Raise NotYourself, LastAdministrator.

    `details` go to the log.
    """
    with transaction.atomic():
        check_dispensable(user, by=by)
        if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
            user.identities.update(left_at=None)  # so that no return to the directory undoes it
            end_sessions(user)
            record("user.disabled", user.username, by=by, **details)


def enable_user(user: User, *, by: User | None, **details: str) -> None:
    """Let a disabled account be used again, with its keys. Raise Disabled for one in the trash."""
    if account_of(user).deleted_at:
        raise Disabled
    if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        record("user.enabled", user.username, by=by, **details)


def set_administrator(user: User, wanted: bool, *, by: User) -> None:
    """Make somebody an administrator, or no longer one. Raise NotYourself, LastAdministrator, Disabled."""
    with transaction.atomic():
        if not wanted:
            check_dispensable(user, by=by)
        elif not user.is_active:
            raise Disabled
        changed = User.objects.filter(pk=user.pk).exclude(is_superuser=wanted)
        if changed.update(is_superuser=wanted, is_staff=wanted):
            record("user.administrator" if wanted else "user.no_administrator", user.username, by=by)


def check_dispensable(user: User, *, by: User | None) -> None:
    """Check, in a transaction, that a site can do without this administrator. Raise NotYourself, LastAdministrator.

    `by` is None where they do it themselves.
    """
    active = User.objects.select_for_update().filter(is_superuser=True, is_active=True)
    administrators = set(active.values_list("pk", flat=True))  # two at once wait for each other
    if administrators == {user.pk}:
        raise LastAdministrator
    if by is not None and by.pk == user.pk:
        raise NotYourself


def set_quota(user: User, *, by: User, **quotas: int | None) -> None:
    """Set how much this user may have of some of QUOTAS; None for what the settings say, 0 for no limit."""
    values = {f"quota_{name}": quotas[name] for name in QUOTAS if name in quotas}
    Account.objects.update_or_create(user=user, defaults=values)
    said = {name: "the setting" if value is None else value for name, value in values.items()}
    record("user.quota", user.username, by=by, **said)
