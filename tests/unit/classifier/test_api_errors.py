"""Whatever is asked of the API wrongly is answered with the right status and a sentence, in JSON."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from classifier.models import ModelVersion, Project
from classifier.services.accounts import create_api_key
from tests.pictures import make_jpeg

MULTIPART = "multipart/form-data; boundary=B"


@pytest.fixture
def headers(owner: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_api_key(owner, 'test')[1]}"}


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Bearer", "Basic b3duZXI6eA==", "nonsense"])
def test_wrong_key_is_told_whoever_is_signed_in(method: str, authorization: str, project: Project, owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    if authorization:
        client.force_login(owner)
    address = {"put": "/api/v1/projects/x/train", "delete": f"/api/v1/projects/{project.slug}/classes/1"}
    path = address.get(method, f"/api/v1/projects/{project.slug}" if method == "patch" else "/api/v1/projects")
    body = {"data": {"name": "x"}, "content_type": "application/json"} if method != "get" else {}
    answer = getattr(client, method)(path, headers={"Authorization": authorization} if authorization else {}, **body)
    assert answer.status_code == (405 if method == "put" else 401)
    assert answer.json()["error"]


def test_key_in_another_header_is_told_the_right_one(project: Project) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/api/v1/projects", {"name": "x"}, "application/json", headers={"X-API-Key": "pw_x"})
    assert answer.status_code == 401
    assert "Authorization: Bearer KEY" in answer.json()["error"]


def test_page_without_its_token_is_told_so(owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    answer = client.post("/api/v1/projects", {"name": "x"}, "application/json")
    assert answer.status_code == 403
    assert "X-CSRFToken" in answer.json()["error"]


@pytest.mark.parametrize("enforce", [True, False])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1/", "/api/v1/nothing", "/api/v2/projects", "/api/v1/samples/1"]
)
def test_wrong_address(method: str, path: str, enforce: bool, headers: dict[str, str]) -> None:
    answer = getattr(Client(enforce_csrf_checks=enforce), method)(path, headers=headers)
    assert answer.status_code == 404
    assert answer.json() == {"error": "There is no such address in the API; see /api/v1/docs."}


@pytest.mark.parametrize("path", ["/api/v1/projects/{}/classify/", "/api/v1//projects/{}/classify"])
def test_slash_too_many_names_the_address(path: str, project: Project, headers: dict[str, str]) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post(path.format(project.slug), {"image": make_jpeg(1)}, headers=headers)
    assert answer.status_code == 404
    assert answer.json()["error"].endswith(f" /api/v1/projects/{project.slug}/classify")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", ["//api/v1/projects", "///api/v1/projects/"])
def test_base_address_with_a_slash_is_told_the_address(
    method: str, path: str, project: Project, headers: dict[str, str]
) -> None:
    # Django's client takes what follows two slashes for the name of a host.
    answer = getattr(Client(enforce_csrf_checks=True), method)("/", headers=headers, PATH_INFO=path)
    assert answer.status_code == 404
    assert answer.json()["error"].endswith(" /api/v1/projects")


@pytest.mark.parametrize("path", ["//api", "//api/v1/nothing"])
def test_base_address_with_a_slash_and_a_wrong_address(path: str, headers: dict[str, str]) -> None:
    answer = Client().get("/", headers=headers, PATH_INFO=path)
    assert answer.status_code == 404
    assert answer.json() == {"error": "There is no such address in the API; see /api/v1/docs."}


def test_wrong_method_names_the_right_ones(project: Project, headers: dict[str, str], client: Client) -> None:
    answer = client.put(f"/api/v1/projects/{project.slug}", headers=headers)
    assert answer.status_code == 405
    assert answer["Allow"] == "DELETE, GET, PATCH"
    assert answer.json() == {"error": "This address does not answer PUT; it answers DELETE, GET and PATCH."}


@pytest.mark.parametrize("body", [b"{", b"name=x", b"\xff\xfe", b"[" * 100_000, b'{"name": "\xc4"}'])
def test_malformed_json(body: bytes, headers: dict[str, str], client: Client) -> None:
    answer = client.post("/api/v1/projects", body, content_type="application/json", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_malformed_json_is_told_where(headers: dict[str, str], client: Client) -> None:
    answer = client.post("/api/v1/projects", b'{"name": }', content_type="application/json", headers=headers)
    assert answer.json() == {"error": "The body is not JSON: Expecting value: line 1 column 10 (char 9)."}
    answer = client.post("/api/v1/projects", b"", content_type="application/json", headers=headers)
    assert (answer.status_code, "JSON" in answer.json()["error"]) == (422, True)


@pytest.mark.parametrize(
    "body",
    [
        {"data": make_jpeg(1), "content_type": "image/jpeg"},
        {"data": {"image": "aGVsbG8="}, "content_type": "application/json"},
        {"data": {"file": "x"}},
        {},
    ],
)
def test_picture_sent_in_another_way_is_told_the_right_one(
    body: dict[str, Any], trained: ModelVersion, headers: dict[str, str], client: Client
) -> None:
    path = f"/api/v1/projects/{trained.project.slug}/classify"
    answer = client.post(path, headers=headers, **body)
    assert answer.status_code == 422
    assert "multipart/form-data" in answer.json()["error"]
    assert answer.json()["error"].endswith(f"-F image=@picture.jpg http://testserver{path}")


def test_upload_without_a_file_is_told_how(project: Project, headers: dict[str, str], client: Client) -> None:
    answer = client.post(f"/api/v1/projects/{project.slug}/uploads", {"class": "red"}, headers=headers)
    assert "-F file=@picture.jpg -F class=NAME" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("samples/delete", {"ids": [False]}),
        ("samples/delete", {"ids": ["1"]}),
        ("samples/delete", {"ids": [1.5]}),
        ("samples/delete", {"ids": [1], "id": 2}),
        ("samples/move", {"ids": [1], "class_id": True}),
        ("train", {"force": "yes"}),
        ("train", {"force": 1}),
        ("train", {"promote": "true"}),
        ("classes", {"name": "x", "colour": "red"}),
    ],
)
def test_value_of_another_type_is_refused(
    path: str, body: dict[str, Any], project: Project, headers: dict[str, str], client: Client
) -> None:
    answer = client.post(f"/api/v1/projects/{project.slug}/{path}", body, "application/json", headers=headers)
    assert answer.status_code == 422, answer.content


@pytest.mark.parametrize("query", ["verison=2", "size=3&Size=4"])
def test_unknown_parameter_of_the_address_is_refused(
    query: str, trained: ModelVersion, headers: dict[str, str], client: Client
) -> None:
    base = f"/api/v1/projects/{trained.project.slug}"
    answer = client.post(f"{base}/classify?{query}", {"image": make_jpeg(1)}, headers=headers)
    assert answer.status_code == 422
    answer = client.get(f"{base}/samples?{query}", headers=headers)
    assert answer.status_code == 422
    assert "; it has after, before, checked, class_id, deleted, duplicate," in answer.json()["error"]
    assert client.get(f"{base}/samples?size=3", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"colour": "red"}, "This call has no field “colour”; it has class, dry_run, layout."),
        ({"picture": SimpleUploadedFile("2.jpg", b"x")}, "This call has no file “picture”; it has file."),
    ],
)
def test_unknown_field_of_a_form_is_refused(
    fields: dict[str, Any], sentence: str, project: Project, headers: dict[str, str], client: Client
) -> None:
    sent = {"file": SimpleUploadedFile("1.jpg", make_jpeg(1)), "class": "red", **fields}
    answer = client.post(f"/api/v1/projects/{project.slug}/uploads", sent, headers=headers)
    assert answer.status_code == 422
    assert answer.json() == {"error": sentence}


def test_text_instead_of_a_file_is_refused(project: Project, headers: dict[str, str], client: Client) -> None:
    """Refuse a file that would be left out in silence."""
    sent = {"graph": "what is in the file", "labels": "apple banana", "range": "0..1"}
    answer = client.post(f"/api/v1/projects/{project.slug}/imports", sent, headers=headers)
    assert "in the field “graph”" in answer.json()["error"]


@pytest.mark.parametrize("more", [{"label": "red"}, {"picture": SimpleUploadedFile("2.jpg", b"x")}])
def test_classify_refuses_unknown_fields(
    more: dict[str, Any], trained: ModelVersion, headers: dict[str, str], client: Client
) -> None:
    sent = {"image": SimpleUploadedFile("1.jpg", make_jpeg(1)), **more}
    answer = client.post(f"/api/v1/projects/{trained.project.slug}/classify", sent, headers=headers)
    assert answer.status_code == 422
    assert "This call has no f" in answer.json()["error"]


def test_unknown_parameter_is_not_looked_at_before_the_key(project: Project, client: Client) -> None:
    answer = client.get("/api/v1/projects?x=1", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/projects", "/sign-in"])
def test_unknown_host_is_told_the_setting(path: str, headers: dict[str, str], client: Client) -> None:
    answer = client.get(path, headers={"Host": "elsewhere.example", **headers})
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.content.decode()
    assert answer["Content-Type"].startswith("application/json" if "api" in path else "text/html")


def test_upload_of_an_old_page_goes_on_with_the_token_of_a_new_one(project: Project, owner: User) -> None:
    """Sign in once more in another tab, which makes the token of the first one's page invalid."""
    client = Client(enforce_csrf_checks=True, headers={"Accept": "application/json"})
    client.force_login(owner)
    address = f"/projects/{project.slug}/uploads/start"
    refused = client.post(address, {"total": 1}, headers={"X-CSRFToken": "a" * 64})
    assert refused.status_code == 403
    page = client.get(f"/projects/{project.slug}/", headers={"Accept": "text/html"}).content.decode()
    token = page.split('data-csrf="')[1].split('"')[0]
    again = client.post(address, {"total": 1}, headers={"X-CSRFToken": token})
    assert again.status_code == 201, again.content


def test_upload_of_somebody_who_is_signed_out_is_told_so(project: Project, client: Client) -> None:
    answer = client.post(f"/projects/{project.slug}/uploads/start", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert "Sign in again in another tab" in answer.json()["error"]


def test_origin_that_is_not_the_sites_is_told_the_setting(owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/sign-in", {"username": "owner"}, headers={"Origin": "https://poets.example"})
    assert answer.status_code == 403
    assert "CSRF_TRUSTED_ORIGINS" in answer.content.decode()
