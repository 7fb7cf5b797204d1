"""Every error of the API is `{"error": "a sentence"}` with the right status. This is the one place that maps them."""

from json import JSONDecodeError
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import (
    ObjectDoesNotExist,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from classifier.api.checks import how_to_call
from classifier.api.schemas import ErrorOut
from classifier.bodies import BodyCut
from classifier.outages import STORAGE, describe_outage, find_outage
from classifier.services.training import TrainingRefused
from ml.errors import UserError

log = structlog.get_logger(__name__)

NOT_FOUND = "Not found: it does not exist, or you do not have access to it."
ALWAYS = (401, 403, 500, 503)  # what any call may answer


def errors(*statuses: int) -> dict[int, Any]:
    """Describe the errors of a call for the API's schema: these, and those of any call."""
    return dict.fromkeys(sorted({*ALWAYS, *statuses}), ErrorOut)


def _file(*content_types: str) -> dict[str, Any]:
    content = {content_type: {"schema": {"type": "string", "format": "binary"}} for content_type in content_types}
    return {"responses": {200: {"content": content}}}


PICTURE, ZIP, ZIP_OR_TABLE = _file("image/*"), _file("application/zip"), _file("application/zip", "text/csv")
TEXT = _file("text/plain")

# What Django refuses while it reads a request, before any call begins.
BAD_REQUESTS: dict[type[Exception], tuple[int, str]] = {
    RequestDataTooBig: (413, "The request is too large."),
    TooManyFilesSent: (413, f"Send at most {settings.DATA_UPLOAD_MAX_NUMBER_FILES} files at once."),
    TooManyFieldsSent: (413, f"Send at most {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS} fields at once."),
    BodyCut: (400, "The body ended too early, so nothing of it was used. Send all of it again."),
    MultiPartParserError: (400, "The multipart body is malformed."),
    UnreadablePostError: (400, "The request was cut off."),
    SuspiciousOperation: (400, "The request cannot be read."),
}


def install_error_handlers(api: NinjaAPI) -> None:
    """Answer each kind of error with its status and a sentence."""

    def answer(request: HttpRequest, status: int, sentence: str, **more: Any) -> HttpResponse:
        return api.create_response(request, {"error": sentence, **more}, status=status)

    @api.exception_handler(UserError)
    def user_error(request: HttpRequest, error: UserError) -> HttpResponse:
        if error.status >= 500:
            log.error("unavailable", path=request.path, error=str(error))
        return answer(request, error.status, str(error))

    @api.exception_handler(TrainingRefused)
    def refused(request: HttpRequest, error: TrainingRefused) -> HttpResponse:
        preflight = error.preflight
        if preflight.errors:
            return answer(request, 422, " ".join(preflight.errors))
        if preflight.running:
            number = preflight.running.pk
            return answer(request, 409, f"This project is already being trained: job {number}.", job=number)
        sentence = " ".join(preflight.warnings) + ' Send "force": true to train anyway.'
        return answer(request, 409, sentence, warnings=preflight.warnings)

    @api.exception_handler(Http404)
    def not_found(request: HttpRequest, error: Http404) -> HttpResponse:
        return answer(request, 404, NOT_FOUND)

    @api.exception_handler(ObjectDoesNotExist)
    def gone_meanwhile(request: HttpRequest, error: ObjectDoesNotExist) -> HttpResponse:
        """Answer where a row was there when the call looked for it, and is not when the service does."""
        log.warning("gone_meanwhile", path=request.path, exc_info=error)
        return answer(request, 404, NOT_FOUND)

    @api.exception_handler(AuthenticationError)
    def unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        response = answer(request, 401, "Send a valid key as “Authorization: Bearer KEY”.")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @api.exception_handler(HttpError)
    def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
        cause = error.__cause__
        sentence = f"The body is not JSON: {cause}." if isinstance(cause, JSONDecodeError) else str(error)
        return answer(request, error.status_code, sentence)

    @api.exception_handler(ValidationError)
    def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
        said = [how_to_call(request, problem) or _describe(problem) for problem in error.errors]
        return answer(request, 422, "; ".join(said))

    def bad_request(request: HttpRequest, error: Exception) -> HttpResponse:
        status, sentence = next(said for kind, said in BAD_REQUESTS.items() if isinstance(error, kind))
        return answer(request, status, sentence)

    for kind in BAD_REQUESTS:
        api.exception_handler(kind)(bad_request)

    def away(request: HttpRequest, outage: str) -> HttpResponse:
        log.exception("outage", path=request.path, outage=outage)
        return answer(request, 503, describe_outage(outage))

    @api.exception_handler(OSError)
    def storage_failed(request: HttpRequest, error: OSError) -> HttpResponse:
        return away(request, find_outage(error) or STORAGE)

    @api.exception_handler(Exception)
    def unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
        if outage := find_outage(error):
            return away(request, outage)
        log.exception("api_error", path=request.path)
        return answer(request, 500, "Something went wrong on the server. The details are in its log.")


def _describe(problem: dict[str, Any]) -> str:
    if problem["type"] == "missing" and problem["loc"][-1] == "payload":
        return "Send a body in JSON; /api/v1/docs shows what this call takes."
    where = ".".join(str(part) for part in problem["loc"][1:] if part != "payload")
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])
