"""Configure logging: one event per line, readable in a terminal, or JSON for a log collector (`LOG_JSON=true`)."""

import logging
import re
from typing import Any

import structlog

# Keys that may be in an address: see classifier/views/hub.py.
SECRET = re.compile(r"([?&](?:key|link)=)[^&\s\"'#]+", re.IGNORECASE)

SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
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


def logging_config(*, json: bool) -> dict[str, Any]:
    """Return Django's LOGGING, and configure structlog to write through the same handler."""
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
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
                "foreign_pre_chain": SHARED,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "django.server": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }
