"""Scripts of other origins may call the API with a key, where CORS_ALLOWED_ORIGINS names them; never with a session."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from classifier.api import tus

METHODS = "GET, HEAD, POST, PATCH, DELETE"
HEADERS = ", ".join(("Authorization", "Content-Type", *tus.ASKED))
EXPOSED = ", ".join(("Allow", "Retry-After", "WWW-Authenticate", "Location", *tus.ANSWERED))
REMEMBERED = "600"  # seconds for which a browser need not ask again

GetResponse = Callable[[HttpRequest], HttpResponse]


def allow_origins(get_response: GetResponse) -> GetResponse:
    """Answer the question that a browser asks first, and mark answers that a script of another origin may read."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not settings.CORS_ALLOWED_ORIGINS or not request.path_info.startswith("/api/"):
            return get_response(request)
        origin = request.headers.get("Origin", "")
        allowed = bool({origin, "*"} & set(settings.CORS_ALLOWED_ORIGINS)) if origin else False
        asks_first = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if asks_first else get_response(request)
        if allowed:
            for name, value in _headers(origin, asks_first=asks_first).items():
                response.headers[name] = value
        patch_vary_headers(response, ["Origin"])
        return response

    return middleware


def _headers(origin: str, *, asks_first: bool) -> dict[str, str]:
    """Return the headers, without Access-Control-Allow-Credentials: no cookie opens anything to another origin."""
    headers = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED}
    if asks_first:
        headers |= {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": REMEMBERED,
        }
    return headers
