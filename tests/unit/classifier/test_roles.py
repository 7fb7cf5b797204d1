"""What each role may do: every address of a project for each of its members, and every key."""

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from classifier.models import ApiKey, ModelVersion, Project
from classifier.roles import GIVEN, Role, needed_for
from classifier.services.accounts import create_api_key
from classifier.tensorboard import proxy
from tests.unit.classifier.addresses import (
    API_OWN,
    FRAGMENTS,
    PROJECT_PAGES,
    address,
    api_operations,
    arguments,
    call_api,
    fill,
    operation_names,
    surround,
)
from tests.unit.classifier.conftest import publish

ROOT = Path(__file__).resolve().parents[3]
# The pages that need another role than their method says; for the calls of the API, docs/members.md tells.
FOR_ALL = {"project", "classify", "member_leave"}
FOR_VIEWERS = {"download"}
FOR_EDITORS = {"train", "training_plan", "tuning_time", "label", "label_queue", "label_suggestions", "label_sure"}
FOR_EDITORS |= {
    "class_settings",
    "project_settings",
    "version_import",
    "version_reimport",
    "promote",
    "sources",
    "version_delete",
    "waiting",
    "waiting_thumbnail",
}
FOR_OWNERS = {"version_link", "version_link_revoke", "member_add", "member_invite", "invitation_revoke", "member_role"}
FOR_OWNERS |= {"project_file", "job_project_file"}
FOR_OWNERS |= {"member_remove", "member_hand_on", "project_delete", "share", "share_revoke", "share_code"}
NOT_OF_THE_PROJECT = ("backbone",)  # pages of what belongs to the owner alone
READING_POSTS = {
    "explain",
    "classify",
    "download_chosen_pictures",
}  # what a key that may only look opens, though the method says otherwise
LETTING_IN = {"list_invitations", "list_share_links"}  # what it does not, as who has an address is let in


@pytest.fixture(autouse=True)
def _board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "is_installed", lambda: True)
    monkeypatch.setattr(proxy, "ask_tensorboard", lambda *_: proxy.TensorBoardAnswer(200, {}, b"Colours"))


@pytest.fixture
def shared(trained: ModelVersion, tmp_path: Path) -> ModelVersion:
    """Return a version of a project with a member of each role, whose names are those of their roles."""
    surround(trained, tmp_path)
    return trained


def documented() -> dict[str, Role]:
    """Return the least role of each call that the table in docs/members.md names."""
    found = {}
    for line in (ROOT / "docs/members.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and set(cells[1:]) <= {"yes", "no"}:
            least = list(Role)[cells[1:].count("yes") - 1]
            found.update(dict.fromkeys(re.findall(r"`([a-z_]+)`", cells[0]), least))
    return found


def least_for_page(name: str, method: str) -> Role:
    for names, role in (
        (FOR_ALL, Role.CLASSIFIER),
        (FOR_VIEWERS, Role.VIEWER),
        (FOR_EDITORS, Role.EDITOR),
        (FOR_OWNERS, Role.OWNER),
    ):
        if name in names:
            return role
    return needed_for(method)


@pytest.mark.parametrize("name", PROJECT_PAGES)
def test_page_is_open_to_its_members_alone(
    name: str, shared: ModelVersion, as_stranger: Client, as_owner: Client, subtests: pytest.Subtests
) -> None:
    """Ask as everybody of the same project, whose making takes most of the time; those who change something, last."""
    asked = address(name, arguments(shared))
    for method in ("GET", "POST"):
        with subtests.test("a stranger finds nothing", method=method):
            response = as_stranger.generic(method, asked)
            assert response.status_code == 404
            assert b"Colours" not in response.content
    with subtests.test("who is signed out is sent to sign in"):
        response = Client().get(asked)
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in")
    with subtests.test("the owner is let in"):
        whole = asked
        if name in FRAGMENTS:
            whole += "?show=fixed&v=1&v=2" if name != "version_judged" else ""
            publish(shared.project, seed=1)  # there are two to compare
        response = as_owner.get(whole, headers={"HX-Request": "true"} if name in FRAGMENTS else None)
        response.close()  # a file that is sent stays open until then
        assert response.status_code in (200, 405)  # 405: it wants a POST
    if name.startswith(NOT_OF_THE_PROJECT):
        return
    for role, method in product(reversed(GIVEN), ("GET", "POST")):
        client = Client()
        client.force_login(User.objects.get(username=role))
        with subtests.test("a member", role=str(role), method=method):
            response = client.generic(method, asked)
            response.close()
            if role.reaches(least_for_page(name, method)):
                assert response.status_code not in (401, 403)
            else:
                assert response.status_code == 403
                assert "this needs the role" in response.content.decode()


@pytest.mark.parametrize(("method", "path"), [one for one in api_operations() if "/shared/" not in one[1]])
def test_call_is_open_to_its_members_alone(
    method: str, path: str, shared: ModelVersion, stranger: User, subtests: pytest.Subtests
) -> None:
    """Ask as everybody of the same project, and with every kind of key."""
    filled = fill(path, shared)

    def ask(authorization: str) -> Any:
        headers = {"Authorization": authorization} if authorization else {}
        response = call_api(Client(), method, path, filled, headers)
        response.close()
        return response

    def ask_as(user: User, scope: str = ApiKey.Scope.EVERYTHING) -> Any:
        return ask(f"Bearer {create_api_key(user, 'test', scope=scope)[1]}")

    for authorization in ("", "Bearer wrong", "Basic b3duZXI6eA=="):
        with subtests.test("no valid key", authorization=authorization):
            response = ask(authorization)
            assert response.status_code == 401
            assert "error" in response.json()
    if path not in API_OWN and not path.startswith("/api/v1/trash/"):
        with subtests.test("a stranger finds nothing"):
            response = ask_as(stranger)
            assert response.status_code == 404
            assert response.json() == {"error": "Not found: it does not exist, or you do not have access to it."}
    name = operation_names()[method, path]
    people = {shared.project.owner, stranger, *(User.objects.get(username=role) for role in GIVEN)}
    for scope, user in product((ApiKey.Scope.CLASSIFY, ApiKey.Scope.READ), people):
        with subtests.test("a key that may less", scope=str(scope), user=user.username):
            reads = (method == "get" or name in READING_POSTS) and name not in LETTING_IN
            opened = name == "classify" or (reads and scope == ApiKey.Scope.READ)
            response = ask_as(user, scope)
            refused = response.status_code == 403 and "This key may only" in response.json()["error"]
            assert refused == (not opened)
    if is_of_project(path):
        least = documented().get(name, needed_for(method.upper()))
        for role in reversed(GIVEN):
            with subtests.test("a member", role=str(role)):
                response = ask_as(User.objects.get(username=role))
                if role.reaches(least):
                    assert response.status_code not in (401, 403)
                elif "{job_id}" in path and role is Role.CLASSIFIER:  # who sees no jobs
                    assert response.status_code == 404
                else:
                    assert response.status_code == 403
                    assert "this needs the role" in response.json()["error"]
    with subtests.test("the owner is let in"):
        assert ask_as(shared.project.owner).status_code not in (401, 403, 500)


def is_of_project(path: str) -> bool:
    """Return whether a call is about what belongs to a project; the trash is the owner's."""
    return ("{slug}" in path or "{job_id}" in path) and not path.startswith("/api/v1/trash/")


def test_every_documented_call_exists() -> None:
    assert set(operation_names().values()) >= documented().keys()
    assert len(documented()) > 8


def test_stranger_and_nobody_have_no_role(shared: ModelVersion, stranger: User, subtests: Any) -> None:
    from classifier.selectors import find_role, list_projects

    assert find_role(stranger, shared.project) is None
    for role in Role:
        assert not list_projects(stranger, role).exists()


def test_list_shows_what_one_has_the_role_for(shared: ModelVersion) -> None:
    from classifier.selectors import list_projects

    for role in GIVEN:
        member = User.objects.get(username=role)
        for least in Role:
            assert list_projects(member, least).exists() == role.reaches(least)
    assert list_projects(shared.project.owner, Role.OWNER).get() == Project.objects.get()
