"""Who calls: the owner of a key or, where no Authorization header is sent, the person who is signed in."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import HttpBearer, SessionAuth
from ninja.utils import check_csrf

from classifier.models import ApiKey
from classifier.services.accounts import find_key

LOOKING = ("GET", "HEAD", "OPTIONS")


class KeyAuth(HttpBearer):
    """`Authorization: Bearer KEY`."""

    openapi_name = "API key"

    def __init__(self, scope: ApiKey.Scope | None = None) -> None:
        self.scope = scope  # that the call needs; None: what its method says
        super().__init__()

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        key = find_key(token.strip())
        if key is None:
            return None
        if not key.may(self.scope or (ApiKey.Scope.READ if request.method in LOOKING else ApiKey.Scope.EVERYTHING)):
            may = ApiKey.Scope(key.scope).label
            raise HttpError(403, f"This key may only {may}. Create one that may do more on the page “API keys”.")
        request.user = key.user
        return key.user


class PageAuth(SessionAuth):
    """The session of somebody who is signed in, with its CSRF token where the call changes something."""

    def __call__(self, request: HttpRequest) -> User | None:
        # A program that sends a wrong key must hear that, whatever cookies its browser adds.
        if "Authorization" in request.headers or not isinstance(request.user, User):
            return None
        if check_csrf(request):
            raise HttpError(
                403, "Send a key as “Authorization: Bearer KEY”, or the CSRF token of a page as “X-CSRFToken”."
            )
        return request.user


# A key for programs; the session for the pages and for trying calls in the browser.
AUTH = [KeyAuth(), PageAuth()]
WHOLE_AUTH = [KeyAuth(ApiKey.Scope.EVERYTHING), PageAuth()]  # what is read lets people in
READ_AUTH = [KeyAuth(ApiKey.Scope.READ), PageAuth()]
CLASSIFY_AUTH = [KeyAuth(ApiKey.Scope.CLASSIFY), PageAuth()]
