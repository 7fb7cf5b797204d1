"""What a reverse proxy says of a request, and what is wrong with a proxy, in words."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from classifier.clients import is_trusted_proxy

FORWARDED = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT")
LOOKED_AT_WITHOUT_TLS = ("/health", "/readyz", "/metrics")  # asked for from this machine


def believe_proxies(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Take away what others than trusted proxies say in the name of one; explain what would redirect for ever."""

    def middleware(request: HttpRequest) -> HttpResponse:
        said = request.META.get("HTTP_X_FORWARDED_PROTO", "")
        if not is_trusted_proxy(str(request.META.get("REMOTE_ADDR", ""))):
            for name in FORWARDED:
                request.META.pop(name, None)
        mistake = _find_mistake(request, said)
        return _explain(request, mistake) if mistake else get_response(request)

    return middleware


def _find_mistake(request: HttpRequest, said: str) -> str:
    """Return what to mend where the site wants HTTPS, a proxy has it, and the site cannot know."""
    if not settings.HTTPS or request.is_secure() or request.path_info.startswith(LOOKED_AT_WITHOUT_TLS):
        return ""
    if said == "https" and settings.SECURE_PROXY_SSL_HEADER is None:
        return "The proxy before this site speaks HTTPS, and the site does not believe it: set BEHIND_PROXY=true."
    if said == "https":
        return "X-Forwarded-Proto comes from an address that is not in TRUSTED_PROXIES. Add the address of the proxy."
    if settings.SECURE_PROXY_SSL_HEADER is not None and not said:
        return (
            "The proxy before this site does not say whether it was asked by HTTPS. "
            "Let it set the header X-Forwarded-Proto on every request."
        )
    return ""


def explain_origin(request: HttpRequest) -> str:
    """Say what to mend where a form comes from an address that is not the one by which the site was reached."""
    origin = urlsplit(request.headers.get("Origin", ""))
    host = request.META.get("HTTP_HOST", "")
    if origin.netloc == host and origin.scheme == "https" and not request.is_secure():
        return (
            "The proxy before this site speaks HTTPS, and the site does not know: set HTTPS=true and "
            "BEHIND_PROXY=true, and let the proxy send X-Forwarded-Proto."
        )
    if origin.port and origin.hostname == host:
        return "The proxy before this site loses the port: let it pass on the Host header whole (in nginx, $http_host)."
    return "The site is not reached by this address. Its administrator can add it to CSRF_TRUSTED_ORIGINS."


def _explain(request: HttpRequest, sentence: str) -> HttpResponse:
    if request.path_info.startswith(("/api/", "/hub/")):
        return JsonResponse({"error": sentence}, status=400)
    context = {"title": "The proxy is not set up yet", "text": f"{sentence} docs/operations.md has an example."}
    return HttpResponse(render_to_string("classifier/error_page.html", context), status=400)
