"""Accounts for whoever gets mail at a domain of the site's choice: asked for, mailed a link, and made with it."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User
from django.core import signing
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from classifier.models import MailRequest, SignUp
from classifier.services.accounts import BY_DOMAIN, NotAllowed
from classifier.services.audit_log import record
from classifier.services.mail_requests import KEPT, add_request
from classifier.services.mails import send
from ml.errors import Refused, UserError
from poetsweb.email_domains import split_email

SALT = "poetsweb.sign_up"
LONGEST = 254  # characters of an address
HOURS = round(KEPT.total_seconds() / 3600)  # for which a link works


class BadEmail(Refused):
    """Nobody can make an account with this address."""


class WrongPassword(Refused):
    """The password is not the one that was chosen when the account was asked for."""

    def __init__(self) -> None:
        super().__init__("This is not the password that you chose when you signed up.")


class LinkOver(UserError):
    """There is nothing that this link leads to, or not any more."""

    status = 404

    def __init__(self) -> None:
        super().__init__(f"This link has been used, or is older than {HOURS} hours. Please sign up again.")


class NameTaken(NotAllowed):
    """Somebody else was quicker."""

    def __init__(self) -> None:
        super().__init__("This user name has been taken since. Please sign up again with another one.")


def is_by_domain() -> bool:
    """Return whether people sign up with an address at one of the site's domains."""
    return bool(settings.SIGNUP == BY_DOMAIN)


def check_email(email: str) -> str:
    """Return the address as it is written to, at one of the site's domains. Raise BadEmail."""
    try:
        local, domain = split_email(email)
    except ValueError:
        raise BadEmail("Give a plain e-mail address, such as anna@school.org.") from None
    if domain not in settings.SIGNUP_DOMAINS:
        raise BadEmail(f"Only addresses at {' or '.join(settings.SIGNUP_DOMAINS)} can be used here.")
    email = f"{local.lower()}@{domain}"
    if len(email) > LONGEST:
        raise BadEmail("This address is too long.")
    return email


def request_account(username: str, password: str, *, email: str, asked_from: str, invitation: str = "") -> None:
    """Have a link sent with which the account is made. Raise BadEmail, NotAllowed, NoMail, TooManyRequests.

    It says nothing of whether there is an account with the address: the mail does.
    """
    if not is_by_domain():
        raise NotAllowed("Sign-up is disabled on this site. Ask its administrator for an account.")
    email = check_email(email)
    hashed = make_password(password)
    with transaction.atomic():
        wanted = SignUp.objects.create(
            username=username, email=email, password=hashed, invitation=invitation.replace("\0", "")[:64]
        )
        add_request(MailRequest.Kind.SIGN_UP, email, asked_from=asked_from, sign_up=wanted)


def send_link(request: MailRequest) -> bool:
    """Send the link that makes the account, or say that there is one. Return whether that was possible."""
    wanted = request.sign_up
    if wanted is None:
        return True
    known = User.objects.filter(email__iexact=wanted.email).order_by("pk").first()
    if known is not None:
        return _say_that_there_is_one(known, wanted)
    link = settings.SITE_ORIGIN + reverse("sign_up_confirm", args=[make_token(wanted)])
    return send(
        wanted.email,
        "Finish signing up",
        f"With this link you finish signing up as “{wanted.username}” on {settings.SITE_URL}:",
        link,
        f"It works for {HOURS} hours and asks for the password that you chose. If you do not know what this is, "
        "ignore it.",
    )


def _say_that_there_is_one(known: User, wanted: SignUp) -> bool:
    return send(
        wanted.email,
        "You have an account already",
        f"Somebody, perhaps you, asked for an account with this address on {settings.SITE_URL}. There is one already: "
        f"“{known.username}”.",
        "If you have forgotten its password, here you are sent a link to set a new one:",
        settings.SITE_ORIGIN + reverse("forgot_password"),
    )


def make_token(wanted: SignUp) -> str:
    """Return what proves that somebody has read the mail."""
    return signing.dumps(wanted.pk, salt=SALT)


def find_sign_up(token: str) -> SignUp:
    """Return what a link leads to. Raise LinkOver."""
    try:
        pk = signing.loads(token, salt=SALT, max_age=KEPT)
    except signing.BadSignature:
        raise LinkOver from None
    found = SignUp.objects.filter(pk=pk, created_at__gt=timezone.now() - KEPT).first()
    if found is None or not is_by_domain():
        raise LinkOver
    return found


def confirm(token: str, password: str) -> User:
    """Make the account of a link. Raise LinkOver, WrongPassword, BadEmail, NotAllowed.

    The password is asked for again, so that nobody who is mailed a link that others asked for gives them an account
    with the own address by opening it.
    """
    wanted = find_sign_up(token)
    if not check_password(password, wanted.password):
        raise WrongPassword
    check_email(wanted.email)  # the setting may have changed since
    try:
        with transaction.atomic():
            return _make_account(wanted)
    except IntegrityError:  # somebody took the name at the same moment
        raise NameTaken from None


def _make_account(wanted: SignUp) -> User:
    if not SignUp.objects.filter(email=wanted.email).delete()[0]:  # two at once wait for each other here
        raise LinkOver
    if User.objects.filter(email__iexact=wanted.email).exists():
        raise LinkOver
    if User.objects.filter(username__iexact=wanted.username).exists():
        raise NameTaken
    user = User.objects.create(username=wanted.username, email=wanted.email, password=wanted.password)
    record("user.signed_up", user.username, by=user, domain=wanted.email.partition("@")[2])
    return user


def delete_old_sign_ups() -> None:
    """Delete what nobody has finished. For the reaper."""
    SignUp.objects.filter(created_at__lt=timezone.now() - KEPT - timedelta(hours=1)).delete()
