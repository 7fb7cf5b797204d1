"""Measure every request, by the name of its page or call: addresses name projects, which are nobody else's business."""

import functools
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import resolve

from classifier.instruments import observe_stage, request_seconds
from ml.serving.stages import listen_to_stages

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
GetResponse = Callable[[HttpRequest], HttpResponse]


def time_requests(get_response: GetResponse) -> GetResponse:
    listen_to_stages(observe_stage)

    def middleware(request: HttpRequest) -> HttpResponse:
        begun = time.perf_counter()
        response = get_response(request)
        method = request.method if request.method in METHODS else "other"
        measured = request_seconds(name_view(request), str(method), f"{response.status_code // 100}xx")
        measured.observe(time.perf_counter() - begun)
        return response

    return middleware


def name_view(request: HttpRequest) -> str:
    """Return the name of the view; of what is answered before there is one, a word for its kind."""
    if request.resolver_match is not None:
        return request.resolver_match.view_name or "unnamed"
    path = request.path_info
    if path.startswith("/api/v1/projects/") and path.endswith("/classify"):
        return _classify()  # see classifier.api.direct
    return next((word for word in ("static", "live") if path.startswith(f"/{word}/")), "none")


@functools.cache
def _classify() -> str:
    return resolve("/api/v1/projects/any/classify").view_name
