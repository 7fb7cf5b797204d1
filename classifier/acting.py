"""Who acts, and from where: what the audit log writes down of the request that is being answered."""

from collections.abc import Callable
from contextvars import ContextVar

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from classifier.clients import client_address

GetResponse = Callable[[HttpRequest], HttpResponse]

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


def remember_request(get_response: GetResponse) -> GetResponse:
    """Keep the request at hand while it is answered."""

    def middleware(request: HttpRequest) -> HttpResponse:
        token = _request.set(request)
        try:
            return get_response(request)
        finally:
            _request.reset(token)

    return middleware


def current_user() -> User | None:
    """Return who is signed in, or whose key was sent; None in jobs and commands, and for strangers."""
    user = getattr(_request.get(), "user", None)
    return user if isinstance(user, User) or getattr(user, "is_authenticated", False) else None


def current_address() -> str:
    """Return where the request comes from; nothing in jobs and commands."""
    request = _request.get()
    return client_address(request)[:64] if request else ""
