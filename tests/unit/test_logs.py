"""Log lines tell us what went wrong, and tell nobody secrets."""

import io
import logging
import logging.config

import pytest

from poetsweb.logs import logging_config


@pytest.mark.parametrize("json", [False, True])
def test_traceback_shows_no_local_variables(json: bool) -> None:
    config = logging_config(False, json=json)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    formatter = config["formatters"]["line"]
    handler.setFormatter(formatter["()"](**{key: value for key, value in formatter.items() if key != "()"}))
    logger = logging.Logger("test")
    logger.addHandler(handler)

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
