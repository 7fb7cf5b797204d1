"""Log lines: one event a line, readable in a terminal, or JSON for a log collector (`LOG_JSON=true`)."""

import logging
import re
from typing import Any

import structlog

# What opens something and may stand in an address: see classifier/views/hub.py.
SECRET = re.compile(r"([?&](?:key|link)=)[^&\s\"'#]+", re.IGNORECASE)

SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
]


def hide_secrets(text: str) -> str:
    """Keys in addresses do not belong into logs."""
    return SECRET.sub(r"\1…", text)


class SecretiveFormatter(structlog.stdlib.ProcessorFormatter):
    """All that is written, tracebacks included, without keys."""

    def format(self, record: logging.LogRecord) -> str:
        return hide_secrets(super().format(record))


def _console() -> structlog.typing.Processor:
    """Plain tracebacks: the pretty ones show local variables, and with them passwords and keys."""
    return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


def logging_config(*, json: bool) -> dict[str, Any]:
    """Django's LOGGING; also sets structlog up, so that both write through the same handler."""
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
