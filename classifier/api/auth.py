from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja.security import HttpBearer, SessionAuth

from classifier.services.accounts import find_key_owner


class KeyAuth(HttpBearer):
    """`Authorization: Bearer KEY`."""

    openapi_name = "API key"

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        user = find_key_owner(token)
        if user is not None:
            request.user = user
        return user


# A key for programs; the session (with its CSRF token) for the pages and for trying calls in the browser.
AUTH = [KeyAuth(), SessionAuth(csrf=True)]
