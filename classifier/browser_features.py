"""What scripts of a page may use of the machine before it: nothing but the camera, where a page has a button for it."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse, HttpResponseBase

HEADER = "Permissions-Policy"
NOTHING = "camera=(), microphone=(), geolocation=()"
CAMERA = "camera=(self), microphone=(), geolocation=()"


def permissions_policy(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault(HEADER, NOTHING)
        return response

    return middleware


def may_use_camera(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let the page of a view ask for the camera."""

    @wraps(view)
    def allowed(*args: object, **kwargs: object) -> HttpResponseBase:
        response = view(*args, **kwargs)
        response.headers[HEADER] = CAMERA
        return response

    return allowed
