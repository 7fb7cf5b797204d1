"""Nobody sees what is not theirs: every address there is, for a stranger and for nobody."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from classifier.models import (
    ApiKey,
    Change,
    CustomBackbone,
    ImageClass,
    Job,
    ModelVersion,
    PartialUpload,
    Sample,
    Sweep,
    Upload,
    Webhook,
)
from classifier.services import resumable
from classifier.services.accounts import create_api_key, revoke_api_key
from classifier.services.custom_backbones import request_backbone
from classifier.services.notices import add_webhook
from classifier.services.samples import add_tag
from classifier.tensorboard import proxy
from tests.unit.classifier.conftest import publish, store_export

# Open to everybody, or only about whoever asks.
OPEN = {"health", "empty", "set_up", "sign_in", "sign_out", "sign_up"}
OWN = {"project_list", "project_new", "sample_project", "change_password", "api_keys", "revoke_key", "backbone_list"}
OWN |= {"all_jobs", "notifications", "webhook_test", "webhook_remove"}
ADMINISTRATORS = {"maintenance"}
HUB = {"hub_version", "hub_backbone"}  # also by key and by public link: see test_hub
FRAGMENTS = {"version_judged", "version_changes", "version_comparison_table"}  # parts of pages, which want to be asked
API_OPEN = {"/api/v1/openapi.json", "/api/v1/docs"}
CLASSIFY = ("post", "/api/v1/projects/{slug}/classify")
API_OWN = {"/api/v1/projects", "/api/v1/sample-projects", "/api/v1/backbones", "/api/v1/keys", "/api/v1/sources"}
API_OWN |= {"/api/v1/jobs", "/api/v1/webhooks"}


def page_patterns() -> list[URLPattern]:
    found: list[URLPattern] = []

    def collect(resolver: URLResolver) -> None:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                if "api/v1" not in str(pattern.pattern):
                    collect(pattern)
            elif pattern.name:
                found.append(pattern)

    collect(get_resolver())
    return found


PROJECT_PAGES = sorted({str(pattern.name) for pattern in page_patterns()} - OPEN - OWN - HUB - ADMINISTRATORS)


def arguments(trained: ModelVersion) -> dict[str, Any]:
    project = trained.project
    sample = Sample.objects.filter(project=project).select_related("image").first()
    assert sample is not None
    return {
        "slug": project.slug,
        "pk": {
            "class": ImageClass.objects.filter(project=project).values_list("pk", flat=True)[0],
            "upload": Upload.objects.filter(project=project).values_list("pk", flat=True)[0],
            "job": Job.objects.filter(project=project, kind="train").values_list("pk", flat=True)[0],
            "picture": sample.pk,
            "undo": Change.objects.filter(project=project).values_list("pk", flat=True)[0],
            "sweep": 1,
            "backbone": CustomBackbone.objects.filter(owner=project.owner).values_list("pk", flat=True)[0],
        },
        "sha256": sample.image.sha256,
        "number": trained.number,
        "size": 160,
        "format": "tflite",
        "rest": "data/runs",
        "kind": "wrong_label",
        "table": "classes",
        "token": PartialUpload.objects.get(project=project).token,
    }


@pytest.fixture(autouse=True)
def _board(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace TensorBoard by what must not be heard by others."""
    monkeypatch.setattr(proxy, "is_installed", lambda: True)
    monkeypatch.setattr(proxy, "ask_tensorboard", lambda *_: proxy.TensorBoardAnswer(200, {}, b"Colours"))


@pytest.fixture(autouse=True)
def _exported(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Give a trained version a file, and its owner a key and a custom backbone."""
    if "trained" in request.fixturenames:
        version = request.getfixturevalue("trained")
        store_export(version, tmp_path)
        Sweep.objects.create(project=version.project, number=version.number, varied={"seed": [0]})
        create_api_key(version.project.owner, "the owner's")
        add_webhook(version.project.owner, "https://example.org/hook")
        resumable.begin(version.project, resumable.Announced("colours.zip", 9), by=version.project.owner)
        add_tag(version.project, Sample.objects.filter(project=version.project), "Colours", by=version.project.owner)
        request_backbone(by=version.project.owner, address="https://example.org/a.tflite", title="Colours by others")


def address(name: str, values: dict[str, Any]) -> str:
    (pattern,) = [one for one in page_patterns() if one.name == name]
    wanted = pattern.pattern.converters
    kwargs = {key: values[key] for key in wanted if key != "pk"}
    if "pk" in wanted:
        kwargs["pk"] = values["pk"][name.split("_")[0]]
    return reverse(name, kwargs=kwargs)


def test_the_list_of_project_pages_is_not_empty() -> None:
    assert {"project", "class", "upload", "job", "version", "classify", "thumbnail", "pictures"} <= set(PROJECT_PAGES)


@pytest.mark.parametrize("name", PROJECT_PAGES)
def test_page_is_open_to_its_owner_alone(
    name: str, trained: ModelVersion, client: Client, as_stranger: Client, as_owner: Client, subtests: pytest.Subtests
) -> None:
    """Ask as everybody of the same project: who is refused changes nothing, and to make one takes most of the time."""
    asked = address(name, arguments(trained))
    for method in ("get", "post"):
        with subtests.test("a stranger finds nothing", method=method):
            response = getattr(as_stranger, method)(asked)
            assert response.status_code == 404
            assert b"Colours" not in response.content
    with subtests.test("who is signed out is sent to sign in"):
        response = client.get(asked)
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in")
    with subtests.test("the owner is let in"):
        if name in FRAGMENTS:
            asked += "?show=fixed&v=1&v=2" if name != "version_judged" else ""
            publish(trained.project, seed=1)  # there are two to compare
        response = as_owner.get(asked, headers={"HX-Request": "true"} if name in FRAGMENTS else None)
        response.close()  # a file that is sent stays open until then
        assert response.status_code in (200, 405)  # 405: it wants a POST


@pytest.mark.parametrize("name", sorted(ADMINISTRATORS))
def test_page_is_open_to_administrators_alone(name: str, owner: User, client: Client, as_owner: Client) -> None:
    assert as_owner.get(reverse(name)).status_code == 404
    assert client.get(reverse(name))["Location"].startswith("/sign-in")
    User.objects.filter(pk=owner.pk).update(is_superuser=True)
    assert as_owner.get(reverse(name)).status_code == 200


def api_operations() -> list[tuple[str, str]]:
    from classifier.api.router import api

    schema = api.get_openapi_schema()
    return sorted((method, path) for path, methods in schema["paths"].items() for method in methods)


BODIES = {
    "reimport": {},
    "move": {"ids": [1], "class_id": 1},
    "split": {"ids": [1], "split": "test"},
    "group": {"ids": [1], "group": "clip"},
    "tag": {"ids": [1], "tag": "check"},
    "untag": {"ids": [1], "tag": "check"},
    "unlabel": {"ids": [1]},
    "undo": {},
    "delete": {"ids": [1]},
    "download": {"ids": [1]},
    "restore": {"ids": [1]},
    "exports": {"format": "tflite"},
    "answer": {"layout": "first"},
    "from-source": {"source": "/srv/photos"},
    "merge": {"into": 1},
    "dismiss": {"kind": "dark"},
    "stop": {},
    "webhooks": {"address": "https://example.org/hook"},
    "retry": {},
    "sweeps": {"settings": {"seed": [1, 2]}},
    "settings": {"least_accuracy": 80},
    "known": {"sha256s": ["0" * 64]},
}


def call_api(client: Client, method: str, path: str, trained: ModelVersion, headers: dict[str, str]) -> Any:
    values = arguments(trained)
    filled = (
        path.replace("{slug}", values["slug"])
        .replace("{class_id}", str(values["pk"]["class"]))
        .replace("{job_id}", str(values["pk"]["job"]))
        .replace("{sha256}", values["sha256"])
        .replace("{sample_id}", str(values["pk"]["picture"]))
        .replace("{format}", values["format"])
        .replace("{webhook_id}", str(Webhook.objects.get().pk))
        .replace("{token}", values["token"])
        .replace("{other}", str(values["number"]))
        .replace("{change_id}", str(values["pk"]["undo"]))
        .replace("{key_id}", str(ApiKey.objects.filter(user=trained.project.owner).values_list("pk", flat=True)[0]))
        .replace("{number}", str(values["pk"]["upload"] if "uploads" in path else values["number"]))
    )
    assert "{" not in filled
    if path.endswith(("/uploads", "/classify", "/explain", "/imports")) and method == "post":
        from django.core.files.uploadedfile import SimpleUploadedFile

        field = {"uploads": "file", "classify": "image", "explain": "image", "imports": "graph"}[path.rsplit("/", 1)[1]]
        data = {field: SimpleUploadedFile("x.jpg", b"x"), **({"class": "red"} if field == "file" else {})}
        return client.post(filled, data, headers=headers)
    if "resumable" in path:
        return call_resumable(client, method, filled, headers)
    body = BODIES.get(re.sub(r".*/", "", path), {"name": "New name"} if method in ("post", "patch") else None)
    if path.endswith("/train"):
        body = {}
    if method == "get":
        body = None  # it would become parameters of the address, which this call has not
    return getattr(client, method)(filled, body, content_type="application/json", headers=headers)


def call_resumable(client: Client, method: str, path: str, headers: dict[str, str]) -> Any:
    said = {"Upload-Offset": "0", "Upload-Length": "9", "Upload-Metadata": "filename Yy56aXA="}
    body = {"data": b"PK", "content_type": "application/offset+octet-stream"} if method == "patch" else {}
    return getattr(client, method)(path, **body, headers={**headers, **said})


@pytest.mark.parametrize(("method", "path"), api_operations())
def test_api_is_open_to_its_owner_alone(
    method: str, path: str, trained: ModelVersion, stranger: User, client: Client, subtests: pytest.Subtests
) -> None:
    """Ask as everybody else of the same project, as of the pages."""

    def ask(authorization: str) -> Any:
        return call_api(client, method, path, trained, {"Authorization": authorization} if authorization else {})

    for authorization in ("", "Bearer wrong", "Basic b3duZXI6eA=="):
        with subtests.test("no valid key", authorization=authorization):
            response = ask(authorization)
            assert response.status_code == 401
            assert "error" in response.json()
    if path not in API_OWN:
        with subtests.test("a stranger finds nothing"):
            response = ask(f"Bearer {create_api_key(stranger, 'test')[1]}")
            assert response.status_code == 404
            assert response.json() == {"error": "Not found: it does not exist, or you do not have access to it."}
    if (method, path) != CLASSIFY:
        with subtests.test("a key to classify opens nothing else"):
            response = ask(f"Bearer {create_api_key(trained.project.owner, 'camera', scope='classify')[1]}")
            assert response.status_code == 403
            assert "only classify" in response.json()["error"]


def test_api_list_shows_only_ones_own(trained: ModelVersion, stranger: User, client: Client) -> None:
    _, key = create_api_key(stranger, "test")
    assert client.get("/api/v1/projects", headers={"Authorization": f"Bearer {key}"}).json() == []


def test_revoked_key_opens_nothing(owner: User, client: Client) -> None:
    row, key = create_api_key(owner, "test")
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get("/api/v1/projects", headers=headers).status_code == 200
    revoke_api_key(row)
    assert client.get("/api/v1/projects", headers=headers).status_code == 401


def test_key_of_a_switched_off_user_opens_nothing(owner: User, client: Client) -> None:
    _, key = create_api_key(owner, "test")
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert client.get("/api/v1/projects", headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_key_is_stored_hashed(owner: User) -> None:
    row, key = create_api_key(owner, "test")
    row.refresh_from_db()
    assert key not in {str(getattr(row, field.name)) for field in row._meta.fields}
    assert row.prefix == key[:10]


def test_stranger_cannot_revoke_anothers_key(owner: User, as_stranger: Client) -> None:
    row, _ = create_api_key(owner, "test")
    assert as_stranger.post(reverse("revoke_key", args=[row.pk])).status_code == 404
    row.refresh_from_db()
    assert row.revoked_at is None


def test_stranger_cannot_use_anothers_webhook(owner: User, as_stranger: Client) -> None:
    hook = add_webhook(owner, "https://example.org/hook")
    for name in ("webhook_test", "webhook_remove"):
        assert as_stranger.post(reverse(name, args=[hook.pk])).status_code == 404
    assert "example.org" not in as_stranger.get(reverse("notifications")).content.decode()
    assert Webhook.objects.filter(pk=hook.pk).exists()


def test_picture_of_another_project_is_not_opened_by_its_sha256(
    trained: ModelVersion, stranger: User, as_stranger: Client
) -> None:
    from classifier.services.projects import create_project

    mine = create_project("Mine", by=stranger)
    sha256 = arguments(trained)["sha256"]
    assert as_stranger.get(reverse("picture", args=[mine.slug, sha256])).status_code == 404
    assert as_stranger.get(reverse("thumbnail", args=[mine.slug, sha256, 160])).status_code == 404


def test_pages_refuse_posts_without_a_token(trained: ModelVersion, owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    response = client.post(reverse("promote", args=[trained.project.slug, 1]))
    assert response.status_code == 403
    response = client.post(f"/api/v1/projects/{trained.project.slug}/train", {}, content_type="application/json")
    assert response.status_code in (401, 403)
    assert "error" in response.json()
