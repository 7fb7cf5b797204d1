"""Tell Sentry, or what speaks its protocol, of errors: those lines of the log that are of the level ERROR.

The log is the only source, so nothing of a request is told that is not in the log: no address, header or body, and of
tracebacks no variables. The ids of the request, the job and the user go along as tags.
"""

import sys
from typing import Any

import structlog

from poetsweb.version import VERSION

LEVELS = {"error": "error", "critical": "fatal"}
TAGS = ("logger", "request_id", "job", "kind", "stage")


def start(dsn: str, hide: "Any", **options: Any) -> structlog.typing.Processor:
    """Connect to a project of Sentry, and return what tells it of a line.

    Args:
        dsn: the address with the key, as Sentry shows it.
        hide: removes what is secret from a text.
        options: of `sentry_sdk.init`, for tests.
    """
    import sentry_sdk

    def clean(event: Any, hint: Any) -> Any:
        for one in event.get("exception", {}).get("values", []):
            one["value"] = hide(one.get("value") or "")
        return event

    sentry_sdk.init(
        dsn,
        release=VERSION,
        before_send=clean,
        default_integrations=False,  # these would send requests, variables and command lines
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        **options,
    )

    def tell(logger: Any, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        level = LEVELS.get(str(line.get("level")))
        if level is not None:
            _tell(line, level, hide)
        return line

    return tell


def _tell(line: structlog.typing.EventDict, level: str, hide: Any) -> None:
    import sentry_sdk

    with sentry_sdk.new_scope() as scope:
        scope.set_level(level)  # type: ignore[arg-type] # it takes these words
        for tag in TAGS:
            if tag in line:
                scope.set_tag(tag, str(line[tag]))
        if "user" in line:
            scope.set_user({"id": str(line["user"])})
        error = _error_of(line.get("exc_info"))
        if error is None:
            scope.capture_message(hide(str(line.get("event", ""))))
        else:
            scope.set_tag("event", hide(str(line.get("event", "")))[:200])
            scope.capture_exception(error)


def _error_of(given: Any) -> BaseException | None:
    """Return the exception that a line tells of: logging passes it as itself, as a triple, or as “the current one”."""
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if isinstance(given[1], BaseException) else None
    return sys.exc_info()[1] if given else None
