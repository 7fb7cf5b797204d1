"""Every error of the API is `{"error": "a sentence"}` with the right status. This is the one place that maps them."""

from typing import Any

import structlog
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from classifier.api.schemas import ErrorOut
from classifier.services.prediction import NothingLive
from classifier.services.projects import InvalidName
from classifier.services.training import TrainingRefused
from worker.artifacts import ArtifactCorrupt
from worker.backbones.convert import ConversionFailed
from worker.config import ConfigError

log = structlog.get_logger(__name__)

# What any call may answer, for the API's page.
ERRORS: dict[int, Any] = dict.fromkeys((401, 404, 409, 413, 422, 503), ErrorOut)
STATUS: dict[type[Exception], int] = {InvalidName: 422, ConfigError: 422, NothingLive: 409}


def install_error_handlers(api: NinjaAPI) -> None:
    def answer(request: HttpRequest, status: int, sentence: str, **more: Any) -> HttpResponse:
        return api.create_response(request, {"error": sentence, **more}, status=status)

    def user_error(request: HttpRequest, error: Exception) -> HttpResponse:
        return answer(request, STATUS[type(error)], str(error))

    for kind in STATUS:
        api.exception_handler(kind)(user_error)

    @api.exception_handler(TrainingRefused)
    def refused(request: HttpRequest, error: TrainingRefused) -> HttpResponse:
        preflight = error.preflight
        if preflight.errors:
            return answer(request, 422, " ".join(preflight.errors))
        if preflight.running:
            number = preflight.running.pk
            return answer(request, 409, f"This project is already being trained: job {number}.", job=number)
        sentence = " ".join(preflight.warnings) + ' Send "force": true to train all the same.'
        return answer(request, 409, sentence, warnings=preflight.warnings)

    @api.exception_handler(Http404)
    def not_found(request: HttpRequest, error: Http404) -> HttpResponse:
        return answer(request, 404, "There is no such thing here, or it is not yours.")

    @api.exception_handler(AuthenticationError)
    def unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        response = answer(request, 401, "Send a valid key as “Authorization: Bearer KEY”.")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @api.exception_handler(HttpError)
    def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
        return answer(request, error.status_code, str(error))

    @api.exception_handler(ValidationError)
    def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
        return answer(request, 422, "; ".join(_describe(problem) for problem in error.errors))

    @api.exception_handler(ArtifactCorrupt)
    @api.exception_handler(ConversionFailed)
    def broken(request: HttpRequest, error: Exception) -> HttpResponse:
        log.error("cannot_answer", error=str(error))
        return answer(request, 503, f"The classifier cannot answer now. {error}")

    @api.exception_handler(Exception)
    def unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
        log.exception("api_error", path=request.path)
        return answer(request, 500, "Something went wrong on our side. It has been written to the log.")


def _describe(problem: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"] if part not in ("body", "payload", "form", "file", "query"))
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])
