"""/metrics, and who may read it."""

import hmac

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from classifier.clients import client_address
from classifier.instruments import counted_here
from classifier.services.site_metrics import site
from poetsweb.hosts import is_loopback

# Of a proxy. Where none is trusted, its address says nothing about who asks.
FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via")


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with what is counted and measured, for Prometheus; for others there is nothing here."""
    if not _may_read(request):
        return HttpResponse(status=404)
    registry = CollectorRegistry()
    registry.register(counted_here())
    registry.register(site)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), _token())
    return _comes_from_here(request)


def _token() -> bytes:
    return str(settings.METRICS_TOKEN).encode()


def _comes_from_here(request: HttpRequest) -> bool:
    """Return whether a program on this machine asks, by one of the site's names: others may be a page in a browser."""
    try:
        request.get_host()
    except DisallowedHost:
        return False
    if not settings.TRUSTED_PROXIES and any(name in request.headers for name in FORWARDED):
        return False
    return is_loopback(client_address(request)) and is_loopback(str(request.META.get("REMOTE_ADDR", "")))
