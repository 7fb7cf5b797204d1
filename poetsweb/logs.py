"""Configure logging: one event per line, readable in a terminal, or JSON for a log collector (`LOG_JSON=true`)."""

import logging
import re
from collections.abc import Sequence
from typing import Any

import structlog

TRAFFIC = "poetsweb.traffic"  # of this logger are the lines of each request and each job

# Keys that may be in an address: see classifier/views/hub.py; what an identity provider sends back; and links that make
# an account, set its password or let somebody into a project.
SECRET = re.compile(
    r"([?&](?:key|link|code|state|invitation)=|/(?:s|sign-up|set-password/\w+|invitations)/)[^&\s\"'#/?]+",
    re.IGNORECASE,
)

ASKER = "asker"  # what is bound to the context of a request: a function that returns the id of its user, or None


def _name_user(logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say whose request it is, where that is known by now: a line in the log is no reason to ask the database."""
    asker = event.pop(ASKER, None)
    user = asker() if asker else None
    if user is not None:
        event.setdefault("user", user)
    return event


def _shared(tell: Sequence[structlog.typing.Processor], *, json: bool) -> list[structlog.typing.Processor]:
    """Return what is done to every line: a collector wants the whole time, and a person that of the day."""
    return [
        structlog.contextvars.merge_contextvars,
        _name_user,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if json else "%H:%M:%S", utc=json),
        *tell,
    ]


def hide_secrets(text: str) -> str:
    """Remove keys in addresses, which do not belong in logs."""
    return SECRET.sub(r"\1…", text)


class SecretiveFormatter(structlog.stdlib.ProcessorFormatter):
    """A formatter that removes keys from everything that is written, including tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return hide_secrets(super().format(record))


def _console() -> structlog.typing.Processor:
    """Return a renderer with plain tracebacks, because pretty ones show local variables such as passwords."""
    return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


def logging_config(*, json: bool, tell: Sequence[structlog.typing.Processor] = ()) -> dict[str, Any]:
    """Return Django's LOGGING, and configure structlog to write through the same handler.

    What is in `tell` is shown every line as well, such as what tells Sentry of errors.
    """
    shared = _shared(tell, json=json)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer = structlog.processors.JSONRenderer() if json else _console()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": SecretiveFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *([structlog.processors.format_exc_info] if json else []),
                    renderer,
                ],
                "foreign_pre_chain": shared,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "django.server": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            # A line for each request and job is for a collector; a terminal would be full of them.
            TRAFFIC: {"level": "INFO" if json else "WARNING"},
        },
    }


def make_formatter(config: dict[str, Any]) -> logging.Formatter:
    """Return the formatter of `logging_config`, for a program that has handlers of its own."""
    options = dict(config["formatters"]["line"])
    kind: type[logging.Formatter] = options.pop("()")
    return kind(**options)
