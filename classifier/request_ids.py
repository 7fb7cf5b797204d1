"""Each request has an id, which is in every line that is logged for it, and in those of the jobs that it starts."""

import logging
import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from classifier.timing import name_view
from poetsweb.logs import ASKER, TRAFFIC

HEADER, META_NAME = "X-Request-ID", "HTTP_X_REQUEST_ID"
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")  # nothing that could be taken for another line or field
# W3C Trace Context: the version, the ids of the trace and of the caller's span, flags, and what versions after 00 add.
TRACEPARENT = re.compile(r"(?!ff|00.{54})[0-9a-f]{2}-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-[0-9a-f]{2}(-.*)?")

traffic = structlog.get_logger(TRAFFIC)
GetResponse = Callable[[HttpRequest], HttpResponse]


def current_request_id() -> str:
    """Return the id of the request, or of that from which the job in hand came; empty where there is none."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def name_requests(get_response: GetResponse) -> GetResponse:
    """Take the id that a proxy or a program has given to the request, or make one, and tell it in the answer.

    Where a collector is told of requests, one that is a part of a trace is named after it and the caller's span.
    """
    is_logged = settings.TRACING or logging.getLogger(TRAFFIC).isEnabledFor(logging.INFO)

    def middleware(request: HttpRequest) -> HttpResponse:
        told = request.META.get(META_NAME, "")  # `request.headers` would be made of all headers
        traced = TRACEPARENT.fullmatch(request.META.get("HTTP_TRACEPARENT", "")) if settings.TRACING else None
        request_id = traced[1] if traced else told if SANE.fullmatch(told) else uuid.uuid4().hex
        # Not cleared at the end: Django logs what was refused after all middleware. The next request clears it.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id, **{ASKER: lambda: known_user(request)})
        begun = time.perf_counter()
        response = get_response(request)
        response[HEADER] = request_id
        if is_logged:
            _log(request, response, time.perf_counter() - begun)
        return response

    return middleware


def _log(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """Log the request by the name of its page: addresses may hold the tokens of links."""
    traffic.info(
        "request",
        view=name_view(request),
        method=request.method,
        status=response.status_code,
        milliseconds=round(seconds * 1000, 1),
    )


def known_user(request: HttpRequest) -> int | None:
    """Return the id of the user, if somebody has found out already who it is."""
    user = request.__dict__.get("user")
    if user is None or type(user) is SimpleLazyObject:
        user = request.__dict__.get("_cached_user")
    return getattr(user, "pk", None)
