"""The administrator's pages about users."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from classifier.access import SignedIn, administrator_page
from classifier.models import Project
from classifier.parsing import parse_number
from classifier.services import closing
from classifier.services import second_factor as factors
from classifier.services import users as service
from classifier.services.trash import leaves_at
from classifier.user_forms import QuotaForm, UserForm
from ml.errors import UserError

HEIR = "heir-"  # begins the field with the user name of whoever takes a project over; its id follows


@administrator_page
def users(request: SignedIn) -> HttpResponse:
    """List the users, a page at a time: `after` is the name that the last page ended with."""
    search, after = request.GET.get("q", "").strip()[:150], request.GET.get("after", "")
    found = service.list_users(search.replace("\0", ""))
    if after:
        found = found.filter(username__gt=after.replace("\0", ""))
    shown = list(found[: service.SHOWN + 1])
    rows = service.describe_users(shown[: service.SHOWN])
    following = rows[-1].user.username if len(shown) > service.SHOWN else ""
    context = {"rows": rows, "search": search, "following": following, "after": after}
    return render(request, "classifier/users_page.html", context)


@administrator_page
@never_cache
def new(request: SignedIn) -> HttpResponse:
    """Make an account, and show the link with which its user sets the password."""
    form = UserForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = service.create_user(**form.cleaned_data)
        except UserError as error:
            form.add_error("username", str(error))
        else:
            return _with_link(request, user)
    return render(request, "classifier/user_new_page.html", {"form": form}, status=422 if form.errors else 200)


@administrator_page
def detail(request: SignedIn, pk: int) -> HttpResponse:
    return _page(request, get_object_or_404(User, pk=pk))


def _page(request: SignedIn, user: User, *, status: int = 200, **more: Any) -> HttpResponse:
    (row,) = service.describe_users([user])
    account = service.account_of(user)
    context = {
        "row": row,
        "one": user,
        "is_self": user.pk == request.user.pk,
        "quota_form": QuotaForm(initial={name: getattr(account, f"quota_{name}") for name in service.QUOTAS}),
        "defaults": list(map(_default_quota, service.QUOTAS)),
        "leaves": leaves_at(row.deleted_at) if row.deleted_at else None,
        "is_going": row.deleted_at is not None and leaves_at(row.deleted_at) <= timezone.now(),
        "owned": Project.objects.filter(owner=user, deleted_at=None),
        "identities": user.identities.all(),
        "link_days": service.LINK_DAYS,
        **more,
    }
    return render(request, "classifier/user_page.html", context, status=status)


def _with_link(request: SignedIn, user: User) -> HttpResponse:
    link = service.make_password_link(user)
    return _page(request, user, link=link, was_mailed=service.mail_password_link(user, link))


@administrator_page
@never_cache
@require_POST
def link(request: SignedIn, pk: int) -> HttpResponse:
    """Show, once, a link with which the user sets a new password."""
    user = get_object_or_404(User, pk=pk)
    try:
        return _with_link(request, user)
    except UserError as error:
        messages.error(request, str(error))
        return redirect("user", pk)


def _default_quota(name: str) -> str:
    """Return what the settings allow everybody, as words."""
    words = {"pictures": "pictures", "gb": "GB", "jobs": "open jobs", "requests": "requests an hour"}[name]
    value = getattr(settings, f"QUOTA_USER_{name.upper()}")
    return f"{value:,} {words}" if value else f"any number of {words}"


def _act(request: SignedIn, pk: int, act: Any, said: str) -> HttpResponse:
    """Do something with a user, and say what was done, or why not."""
    user = get_object_or_404(User, pk=pk)
    try:
        act(user)
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said.format(user.username))
    return redirect("user", pk)


@administrator_page
@require_POST
def disable(request: SignedIn, pk: int) -> HttpResponse:
    said = "{} can no longer sign in, and their keys have stopped."
    return _act(request, pk, lambda user: service.disable_user(user, by=request.user), said)


@administrator_page
@require_POST
def enable(request: SignedIn, pk: int) -> HttpResponse:
    return _act(request, pk, lambda user: service.enable_user(user, by=request.user), "{} can sign in again.")


@administrator_page
@require_POST
def administrator(request: SignedIn, pk: int) -> HttpResponse:
    wanted = request.POST.get("wanted") == "true"
    said = "{} is an administrator now." if wanted else "{} is no administrator any longer."
    return _act(request, pk, lambda user: service.set_administrator(user, wanted, by=request.user), said)


@administrator_page
@require_POST
def second_factor(request: SignedIn, pk: int) -> HttpResponse:
    """Remove the second factor of somebody who has lost it."""
    said = "{} signs in with the password alone."
    return _act(request, pk, lambda user: factors.remove(user, by=request.user), said)


@administrator_page
@require_POST
def quota(request: SignedIn, pk: int) -> HttpResponse:
    form = QuotaForm(request.POST)
    if not form.is_valid():
        return _page(request, get_object_or_404(User, pk=pk), quota_form=form, status=422)
    said = "The quota of {} has been changed."
    return _act(request, pk, lambda user: service.set_quota(user, **form.cleaned_data, by=request.user), said)


@administrator_page
def delete(request: SignedIn, pk: int) -> HttpResponse:
    """Say what goes with an account, give its projects to whom the administrator names, and move it to the trash."""
    user = get_object_or_404(User, pk=pk)
    wrong = ""
    if request.method == "POST":
        try:
            closing.delete_account(user, by=request.user, heirs=_heirs(request))
        except UserError as error:
            wrong = str(error)
        else:
            messages.success(request, f"The account “{user.username}” is in the trash.")
            return redirect("user", pk)
    context = {"one": user, "owned": closing.list_owned(user), "own": closing.count_own(user), "wrong": wrong}
    context |= {"days": settings.TRASH_DAYS, "heir": HEIR}
    return render(request, "classifier/user_delete_page.html", context, status=422 if wrong else 200)


def _heirs(request: SignedIn) -> dict[int, str]:
    """Return the user names of those who take projects over, by the id of the project."""
    keys = [key for key in request.POST if key.startswith(HEIR) and request.POST.get(key, "").strip()]
    numbers = {parse_number(key.removeprefix(HEIR)): request.POST.get(key, "").strip() for key in keys}
    return {number: name for number, name in numbers.items() if number is not None}


@administrator_page
@require_POST
def purge(request: SignedIn, pk: int) -> HttpResponse:
    said = "The account “{}” is being deleted for good."
    typed = request.POST.get("at_once", "")
    return _act(request, pk, lambda user: closing.hasten_purge(user, typed, by=request.user), said)


@administrator_page
@require_POST
def restore(request: SignedIn, pk: int) -> HttpResponse:
    said = "The account “{}” is back, with its projects."
    return _act(request, pk, lambda user: closing.restore_account(user, by=request.user), said)
