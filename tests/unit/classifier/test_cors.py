"""Scripts of other origins call the API only where the setting names them, and with a key; nothing private is kept."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier.models import ModelVersion, Project, Sample
from classifier.services.accounts import create_api_key

APP = "https://app.example.org"


@pytest.fixture
def _allowed(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]


def ask_first(client: Client, origin: str = APP, path: str = "/api/v1/projects/x/classify") -> Any:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    return client.options(path, headers={"Origin": origin, **asked})


@pytest.mark.usefixtures("_allowed")
def test_browser_that_asks_first_is_told(client: Client, db: None) -> None:
    answer = ask_first(client)
    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Origin"] == APP
    assert answer["Access-Control-Allow-Headers"].startswith("Authorization, Content-Type, Tus-Resumable, Upload-")
    assert "POST" in answer["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in answer
    assert "Origin" in answer["Vary"]


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize("key", ["right", "wrong"])
def test_answers_and_errors_can_be_read(key: str, owner: User, client: Client) -> None:
    key = create_api_key(owner, "x")[1] if key == "right" else key
    answer = client.get("/api/v1/projects", headers={"Origin": APP, "Authorization": f"Bearer {key}"})
    assert answer.status_code == (401 if key == "wrong" else 200)
    assert answer["Access-Control-Allow-Origin"] == APP
    assert "Access-Control-Allow-Credentials" not in answer


@pytest.mark.usefixtures("_allowed")
@pytest.mark.parametrize("origin", ["https://app.example.org.evil.example", "http://app.example.org", "null", ""])
def test_other_origins_are_not_named(origin: str, client: Client, db: None) -> None:
    assert "Access-Control-Allow-Origin" not in ask_first(client, origin)
    assert "Access-Control-Allow-Origin" not in client.get("/api/v1/projects", headers={"Origin": origin})


@pytest.mark.usefixtures("_allowed")
def test_pages_are_for_their_own_origin(as_owner: Client) -> None:
    assert "Access-Control-Allow-Origin" not in as_owner.get("/", headers={"Origin": APP})


def test_no_origin_is_allowed_by_itself(client: Client, db: None) -> None:
    answer = ask_first(client)
    assert (answer.status_code, "Access-Control-Allow-Origin" in answer) == (405, False)


def test_star_allows_every_origin(client: Client, settings: Any, db: None) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["*"]
    assert ask_first(client, "https://anywhere.example")["Access-Control-Allow-Origin"] == "https://anywhere.example"


@pytest.mark.parametrize("page", ["project_list", "api_keys", "sign_in", "project_new"])
def test_private_pages_are_not_kept(page: str, as_owner: Client) -> None:
    for client in (as_owner, Client()):
        assert "no-store" in client.get(reverse(page))["Cache-Control"]


@pytest.mark.parametrize("path", ["/api/v1/projects", "/api/v1/nothing", "/nothing"])
def test_answers_of_the_api_are_not_kept(path: str, project: Project, as_owner: Client) -> None:
    assert as_owner.get(path)["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("path", ["/health", "/api/v1/docs", "/api/v1/openapi.json"])
def test_what_is_public_may_be_kept(path: str, owner: User, client: Client) -> None:
    assert "no-store" not in client.get(path).get("Cache-Control", "")


def test_pictures_are_kept_by_the_browser_alone(trained: ModelVersion, as_owner: Client) -> None:
    sample = Sample.objects.select_related("image")[0]
    answer = as_owner.get(reverse("picture", args=[trained.project.slug, sample.image.sha256]))
    assert answer["Cache-Control"].startswith("private, max-age=")
