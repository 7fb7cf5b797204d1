"""Rules for every request: its size, for whom it is, what a page may load, what is kept, and when to come again."""

import re
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from classifier import bodies
from classifier.clients import address_group, client_address
from classifier.disk import DiskFull, check_room
from classifier.outages import RETRY_SECONDS
from classifier.services import sessions
from classifier.services.accounts import find_key
from classifier.services.quotas import TooManyRequests, count_request
from classifier.services.set_up import site_is_empty
from classifier.services.share_links import link_works
from ml.serving.askers import asking_for

# Everything comes from this site. `blob:` is a picture that the browser shows before it is uploaded; `data:`
# are the icons of the API page.
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'; style-src 'self'"
)
DOCS_POLICY = POLICY + " 'unsafe-inline'"  # the API page sets styles from its script

# What is the same for everybody.
PUBLIC = ("/static/", "/health", "/api/v1/docs", "/api/v1/openapi.json")

GetResponse = Callable[[HttpRequest], HttpResponse]


STRANGER_BYTES = 2**20  # no form for strangers is larger
SHARED = re.compile(r"/(?:s|api/v1/shared)/([\w-]+)")  # where those may send pictures who have a link
SHARED_BYTES = 256 * 2**20
SLACK = 10 * 2**20


def bound_requests(get_response: GetResponse) -> GetResponse:
    """Refuse a body that is too large before a byte of it is read to disk, and addresses that cannot be."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if "\0" in request.path_info:  # no address has one, and PostgreSQL takes none
            return JsonResponse({"error": "There is nothing at this address."}, status=404)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit():
            return JsonResponse({"error": "The header Content-Length is not a number."}, status=400)
        if int(length) > STRANGER_BYTES and int(length) > _allowed(request):
            return JsonResponse({"error": "The request is too large."}, status=413)
        if int(length) > STRANGER_BYTES:
            try:
                check_room(int(length))
            except DiskFull as error:
                return JsonResponse({"error": str(error)}, status=error.status)
        if bodies.is_chunked(request):
            bodies.accept_chunks(request, _allowed(request))
        return get_response(request)

    return middleware


def _allowed(request: HttpRequest) -> int:
    if shared := SHARED.match(request.path_info):
        return SHARED_BYTES if link_works(shared[1]) else STRANGER_BYTES
    return settings.ARCHIVE_LIMITS.max_total_bytes + SLACK if _knows_us(request) else STRANGER_BYTES


def _knows_us(request: HttpRequest) -> bool:
    """Return whether the session or key exists: a header that a stranger makes up must not fill the disk."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return find_key(key.strip()) is not None
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    return bool(session) and SessionStore(session).get(SESSION_KEY) is not None


def count_requests(get_response: GetResponse) -> GetResponse:
    """Count the requests that programs send with keys, where a setting bounds them; pages are not counted."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not settings.QUOTA_USER_REQUESTS:
            return get_response(request)
        scheme, _, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == "bearer" and (found := find_key(key.strip())):
            try:
                count_request(found.user_id)
            except TooManyRequests as error:
                return JsonResponse(
                    {"error": str(error)}, status=error.status, headers={"Retry-After": str(error.seconds)}
                )
        return get_response(request)

    return middleware


def name_asker(get_response: GetResponse) -> GetResponse:
    """Say for whom the pictures of a request are read."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with asking_for(lambda: _name(request)):
            return get_response(request)

    return middleware


def note_sessions(get_response: GetResponse) -> GetResponse:
    """Note where people are signed in, and when they were last seen."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            browser = request.headers.get("User-Agent", "")
            sessions.note_session(request.session.session_key or "", request.user, browser=browser)
        return get_response(request)

    return middleware


def _name(request: HttpRequest) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    found = find_key(key.strip()) if scheme.lower() == "bearer" else None
    user = found.user_id if found else getattr(getattr(request, "user", None), "pk", None)
    return f"user {user}" if user else address_group(client_address(request))


def content_security_policy(get_response: GetResponse) -> GetResponse:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        policy = DOCS_POLICY if request.path_info.startswith("/api/v1/docs") else POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return middleware


def forbid_storing(get_response: GetResponse) -> GetResponse:
    """Let no browser and no proxy keep what belongs to somebody, unless a view has said for how long."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path_info.startswith(PUBLIC):
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return middleware


def ask_to_come_again(get_response: GetResponse) -> GetResponse:
    """Tell whoever could not be answered when to try again."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code == 503:
            response.headers.setdefault("Retry-After", str(RETRY_SECONDS))
        return response

    return middleware


def first_visit(get_response: GetResponse) -> GetResponse:
    """Redirect every page of an empty site to the form that creates its administrator."""
    known = {"empty": True}  # a site never becomes empty again, so the question is asked until the first no

    def middleware(request: HttpRequest) -> HttpResponse:
        if known["empty"] and _is_page(request):
            known["empty"] = site_is_empty()
            if known["empty"]:
                return redirect("set_up")
        return get_response(request)

    return middleware


def _is_page(request: HttpRequest) -> bool:
    elsewhere = request.path_info.startswith(("/static/", "/api/", "/hub/", "/health"))
    return not elsewhere and request.path != reverse("set_up")
