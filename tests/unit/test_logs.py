"""Log lines tell us what went wrong, and tell nobody secrets."""

import io
import json
import logging
import logging.config
from pathlib import Path

import pytest

from poetsweb.logs import logging_config


def make_logger(stream: io.StringIO, *, json: bool) -> logging.Logger:
    """Make a logger like the site's own, with its formatter."""
    formatter = logging_config(json=json)["formatters"]["line"]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter["()"](**{key: value for key, value in formatter.items() if key != "()"}))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger


@pytest.mark.parametrize("as_json", [False, True])
def test_traceback_shows_no_local_variables(as_json: bool) -> None:
    stream = io.StringIO()
    logger = make_logger(stream, json=as_json)

    def fail() -> None:
        password = "hunter2" + "-secret"
        raise ValueError(len(password))

    try:
        fail()
    except ValueError:
        logger.exception("it_failed")
    said = stream.getvalue()
    assert "it_failed" in said
    assert "ValueError" in said
    assert "hunter2-secret" not in said


@pytest.mark.parametrize("as_json", [False, True])
def test_keys_in_addresses_are_not_written(as_json: bool) -> None:
    stream = io.StringIO()
    logger = make_logger(stream, json=as_json)
    logger.warning("GET %s", "/hub/fruit/1?tf-hub-format=compressed&key=pw_s3cret&x=1")
    logger.warning({"event": "asked", "address": "/hub/fruit/1?link=t0ken"})
    for address in ("sign-up/t0ken", "set-password/MQ/t0ken", "invitations/t0ken/accept", "sign-up?invitation=t0ken"):
        logger.warning("Not Found: /poets/%s", address)
    logger.warning("GET /sign-in/oidc/callback?code=s3cret&state=s3cret")
    try:
        raise ValueError("https://example.org/hub/fruit/live?KEY=pw_s3cret")
    except ValueError:
        logger.exception("it_failed")
    said = stream.getvalue()
    assert "tf-hub-format=compressed&key=…&x=1" in said or "\\u2026" in said
    assert "s3cret" not in said
    assert "t0ken" not in said


def test_gunicorn_writes_objects_where_a_collector_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings
    from gunicorn.config import Config

    from poetsweb import gunicorn

    monkeypatch.setattr(gunicorn, "ENVIRONMENT", gunicorn.ENVIRONMENT.model_copy(update={"LOG_JSON": True}))
    monkeypatch.setattr(settings, "LOGGING", logging_config(json=True))
    cfg = Config()
    cfg.set("errorlog", str(tmp_path / "errors"))
    logger = gunicorn.SecretiveLogger(cfg)
    logger.error("It failed at %s", "/hub/fruit/1?key=pw_s3cret")
    for handler in list(logger.error_log.handlers):
        handler.close()
        logger.error_log.removeHandler(handler)
    line = json.loads((tmp_path / "errors").read_text())
    assert (line["event"], line["level"]) == ("It failed at /hub/fruit/1?key=…", "error")


def test_gunicorn_writes_no_keys(tmp_path: Path) -> None:
    """Hide keys both in errors and in an access log that somebody enables."""
    from gunicorn.config import Config

    from poetsweb.gunicorn import SecretiveLogger

    cfg = Config()
    cfg.set("errorlog", str(tmp_path / "errors"))
    cfg.set("accesslog", str(tmp_path / "access"))
    logger = SecretiveLogger(cfg)
    logger.error("Error handling request %s", "/hub/fruit/1?key=pw_s3cret")
    logger.access_log.info("%(r)s", {"r": "GET /hub/fruit/1?link=pw_s3cret&x=1 HTTP/1.1"})
    logger.close_on_exec()
    for log in (logger.error_log, logger.access_log):
        for handler in list(log.handlers):
            handler.close()
            log.removeHandler(handler)
    assert "Error handling request /hub/fruit/1?key=…" in (tmp_path / "errors").read_text()
    assert "GET /hub/fruit/1?link=…&x=1 HTTP/1.1" in (tmp_path / "access").read_text()
