"""One's own account: where one is signed in, and the end of it."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from classifier.access import SignedIn
from classifier.services import closing, directories, passkeys, second_factor, sessions
from classifier.views.identity import ask_and_act


@login_required
def account(request: SignedIn) -> HttpResponse:
    """Show where the user is signed in, and what to do with the account."""
    rows = [(one, sessions.name_browser(one.browser)) for one in sessions.list_sessions(request.user)]
    known = list(request.user.identities.exclude(issuer=directories.LDAP))
    context = {
        "is_of_directory": directories.is_of_directory(request.user),
        "identities": known,
        "is_connected": any(one.issuer == settings.OIDC_ISSUER for one in known),
        "rows": rows,
        "here": request.session.session_key,
        "second_factor": second_factor.is_on(request.user),
        "has_app": second_factor.has_app(request.user),
        "passkeys": request.user.passkeys.all(),
        "passkeys_are_possible": passkeys.is_possible(),
        "recovery_codes": second_factor.count_recovery_codes(request.user),
    }
    return render(request, "classifier/account_page.html", context)


@login_required
@require_POST
def end_session(request: SignedIn, pk: int) -> HttpResponse:
    sessions.end_session(get_object_or_404(request.user.sessions, pk=pk))
    messages.success(request, "That session has been ended.")
    return redirect("account")


@login_required
@require_POST
def end_others(request: SignedIn) -> HttpResponse:
    sessions.end_sessions(request.user, besides=request.session.session_key)
    messages.success(request, "You are signed in here alone.")
    return redirect("account")


@sensitive_post_parameters()
@login_required
def delete(request: SignedIn) -> HttpResponse:
    """Say what goes with the account, and move it to the trash once the password is given."""

    def act() -> None:
        closing.delete_own_account(request.user)
        logout(request)
        messages.success(request, "Your account has been deleted. An administrator can restore it for some time.")

    owned, own = closing.list_owned(request.user), closing.count_own(request.user)
    context = {"owned": owned, "own": own, "days": settings.TRASH_DAYS}
    return ask_and_act(request, act, "classifier/account_delete_page.html", context, then="sign_in")
