import sys
from collections.abc import Callable

import structlog
from django.core.exceptions import DisallowedHost, ObjectDoesNotExist
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from classifier.access import wants_json
from classifier.bodies import BodyCut
from classifier.disk import is_low
from classifier.outages import describe_outage, find_outage
from classifier.proxies import explain_origin
from classifier.services import probes
from ml.errors import UserError

log = structlog.get_logger(__name__)

HEALTH_SECONDS = 2.0


def answer_page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    """Answer with a sentence as a page, or as JSON if a program asks."""
    if wants_json(request):
        return JsonResponse({"error": text}, status=status)
    return render(request, "classifier/error_page.html", {"title": title, "text": text}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    text = "The request cannot be read. Go back, reload the page and try again."
    if isinstance(exception, DisallowedHost):
        text = "The site is not reached by this name. Its administrator can add it to the setting ALLOWED_HOSTS."
    elif isinstance(exception, BodyCut):
        text = "The connection was lost before everything had arrived, so nothing was used. Please send it again."
    return answer_page(request, 400, "This request cannot be answered", text)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer_page(request, 404, "Page not found", "This page does not exist, or you do not have access to it.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer_page(request, 403, "Not allowed", "You do not have access to this page.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer after an error that nobody expected, or ask to come again where only something is away."""
    outage = find_outage(sys.exc_info()[1] or Exception())
    if outage:
        return _answer_outage(request, describe_outage(outage))
    return answer_page(request, 500, "Something went wrong", "This is a fault of the site. The details are in its log.")


def _answer_outage(request: HttpRequest, text: str) -> HttpResponse:
    if request.path_info.startswith(("/api/", "/hub/")):
        return JsonResponse({"error": text}, status=503)
    # Without the request: to say who is signed in, the page would ask the database.
    page = render_to_string("classifier/error_page.html", {"title": "Please try again in a moment", "text": text})
    return HttpResponse(page, status=503)


class AnswerUserErrors:
    """Middleware that answers an error whose message is for the user, where no view has a better place for it.

    What was there when the view looked for it and is gone when the service does is not found.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the sentence as a page, or as JSON for the script that uploads."""
        if isinstance(error, ObjectDoesNotExist):
            log.warning("gone_meanwhile", path=request.path, exc_info=error)
            return not_found(request, error)
        if not isinstance(error, UserError):
            return None
        if request.headers.get("Sec-Fetch-Dest") == "empty" and "HX-Request" not in request.headers:
            return JsonResponse({"error": str(error)}, status=error.status)
        title = "Not allowed" if error.status == 403 else "This cannot be done now"
        return answer_page(request, error.status, title, str(error))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    text = "The page was open for too long, or cookies are disabled. Go back, reload the page and try again."
    if reason.startswith("Origin checking failed"):
        text = explain_origin(request)
    if wants_json(request):
        return JsonResponse({"error": text}, status=403)
    return answer_page(request, 403, "Please try again", text)


def health(request: HttpRequest) -> HttpResponse:
    """Tell a load balancer whether the process and its database can work, and what else is not as it should be."""
    told = probes.prober.look(("database", "writing", "broker", "storage"), seconds=HEALTH_SECONDS)
    database, writing = told.pop("database"), told.pop("writing")
    wrong = next((said for said in (database, writing) if said != probes.OK), "")
    parts = {"disk": "almost full" if is_low() else "ok", **told}
    return JsonResponse({"status": f"the database {wrong}" if wrong else "ok", **parts}, status=503 if wrong else 200)


def empty(request: HttpRequest) -> HttpResponse:
    """Answer with nothing, which measures what the server itself costs (for `make bench`)."""
    return HttpResponse(status=204)
