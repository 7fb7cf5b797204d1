"""Schemathesis sends every call what its description allows, and what it does not: nothing breaks or is let in."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from classifier.models import ApiKey, ModelVersion, Sample, Team, Webhook
from classifier.services import prediction
from classifier.services.accounts import create_api_key
from poetsweb.wsgi import application
from tests.unit.classifier.addresses import arguments, surround
from tests.unit.classifier.test_openapi import OPERATIONS, description
from tests.unit.classifier.test_pages import FakeEngine

schemathesis = pytest.importorskip("schemathesis", reason="requirements-dev.txt is not installed")
described = pytest.importorskip("schemathesis.specs.openapi.checks")

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")

EXAMPLES = 8  # of requests that are allowed, and as many of others, for each call
CHECKS = [
    schemathesis.checks.not_a_server_error,
    described.status_code_conformance,
    described.content_type_conformance,
    described.response_schema_conformance,
    described.negative_data_rejection,
]


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """Keep the connection, which a web server closes when it is old: the test's transaction lives on it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def headers(trained: ModelVersion, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the key of an administrator who has one of everything."""
    monkeypatch.setattr(prediction, "get_engine", lambda name: FakeEngine())
    surround(trained, tmp_path)
    User.objects.filter(pk=trained.project.owner_id).update(is_superuser=True)
    return {"Authorization": f"Bearer {create_api_key(trained.project.owner, 'test')[1]}"}


@pytest.fixture
def document(call: str, headers: dict[str, str], trained: ModelVersion) -> dict[str, Any]:
    """Give the description of the call's address, which names what there is: made-up ones would all be a 404.

    With all addresses Schemathesis would need longer to read it than to test the call.
    """
    values = arguments(trained)
    known = {
        "slug": values["slug"],
        "class_id": values["pk"]["class"],
        "job_id": values["pk"]["job"],
        "change_id": values["pk"]["undo"],
        "key_id": ApiKey.objects.values_list("pk", flat=True)[0],
        "sample_id": Sample.objects.values_list("pk", flat=True)[0],
        "sha256": values["sha256"],
        "format": "tflite",
        "token": values["token"],
        "other": values["number"],
        "webhook_id": Webhook.objects.values_list("pk", flat=True)[0],
        "member_id": values["pk"]["member"],
        "invitation_id": values["pk"]["invitation"],
        "link_id": values["pk"]["share"],
        "team_id": Team.objects.get().pk,
        "username": "viewer",
        "session_id": 1,
        "name": "custom-unknown",
    }
    document: dict[str, Any] = json.loads(description())
    (path,) = [path for path, calls in document["paths"].items() if call in names(calls)]
    calls = document["paths"][path]
    known["number"] = values["pk"]["upload"] if "uploads" in path else values["number"]
    for parameter in (one for told in calls.values() for one in told["parameters"] if one["in"] == "path"):
        parameter["schema"]["enum"] = [known[parameter["name"]]]
    return {**document, "paths": {path: calls}}


def names(calls: dict[str, Any]) -> set[str]:
    return {str(told["operationId"]) for told in calls.values()}


def answer_and_close(environ: Any, start_response: Any) -> list[bytes]:
    """Answer as a web server does: Schemathesis alone would leave files open that are sent."""
    answer = application(environ, start_response)
    try:
        return list(answer)
    finally:
        answer.close()


@pytest.mark.slow
@pytest.mark.parametrize("call", sorted(OPERATIONS))
def test_call_keeps_to_its_description(call: str, document: dict[str, Any], headers: dict[str, str]) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.app = answer_and_close
    operation = schema.find_operation_by_id(call)

    allowed_and_not = st.tuples(*(operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode))

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(allowed_and_not)
    def ask(cases: Any) -> None:
        for case in cases:
            response = case.call(headers=headers)
            case.validate_response(response, checks=CHECKS, headers=headers)

    ask()
