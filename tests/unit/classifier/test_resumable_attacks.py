"""Whatever is sent to the address for archives in parts has a sentence for an answer, and never an error of ours."""

import base64
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.models import PartialUpload, Project
from classifier.services import resumable
from classifier.services.accounts import create_api_key
from classifier.services.projects import create_project
from ml.errors import UserError
from tests.unit.classifier.tus import DATA, Tus

pytestmark = pytest.mark.usefixtures("folder_storage")  # a bucket refuses small parts
WILD = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def api(client: Client, owner: User, project: Project) -> Tus:
    return Tus(client, create_api_key(owner, "test")[1])


def announce(api: Tus, size: str, metadata: str) -> Any:
    said = {"Upload-Length": size, "Upload-Metadata": metadata}
    return api.client.post(api.path, headers={**api.headers, **said})


@WILD
@given(text=st.text(st.characters(max_codepoint=255), max_size=300))
def test_any_metadata_is_taken_or_refused_with_a_sentence(text: str, api: Tus) -> None:
    answer = announce(api, "9", text)
    assert answer.status_code in (400, 409, 422), text
    assert answer.json()["error"]


@WILD
@given(name=st.text(max_size=400), size=st.integers(-(2**70), 2**70))
def test_any_name_and_size_are_kept_as_text_or_refused(name: str, size: int, api: Tus) -> None:
    PartialUpload.objects.all().delete()
    said = base64.b64encode(f"{name}.zip".encode(errors="replace")).decode()
    answer = announce(api, str(size), f"filename {said}")
    assert answer.status_code in (201, 413, 422), answer.content
    for partial in PartialUpload.objects.all():
        assert partial.path.startswith(f"incoming/{partial.project_id}/")
        assert name[:5] not in partial.path or len(name) < 5
        assert api.client.head(answer["Location"], headers=api.headers).status_code == 200


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.zip", "/etc/passwd.zip", "a\0b.zip", "<script>.zip", "\u202egnp.zip"]
)
def test_hostile_name_names_no_file(name: str, api: Tus) -> None:
    address = api.begin(name=name)["Location"]
    assert api.send(address, 0, DATA[:9]).status_code == 204
    partial = PartialUpload.objects.get()
    assert default_storage.exists(f"incoming/{partial.project_id}/{partial.token}")
    assert "\0" not in api.get(address)["name"]


@pytest.mark.parametrize("metadata", ["filename Yy56aXA=\x7f", "\x01filename Yy56aXA=", "filename Yy56aXA=\n", "a\0"])
def test_metadata_with_control_characters_is_refused(metadata: str, api: Tus) -> None:
    assert announce(api, "9", metadata).status_code == 422


@pytest.mark.parametrize("offset", ["-1", "x", "", "1e3", "0x10", "9" * 400, "\u0661", str(2**60)])
def test_offsets_that_cannot_be(offset: str, api: Tus) -> None:
    address = api.begin()["Location"]
    headers = {**api.headers, "Upload-Offset": offset}
    answer = api.client.patch(address, DATA, content_type="application/offset+octet-stream", headers=headers)
    assert answer.status_code == 422
    assert api.offset(address) == 0


@WILD
@given(offset=st.integers(0, 40), size=st.integers(0, 40))
def test_no_offset_and_length_leave_more_or_less_than_is_told(offset: int, size: int, api: Tus) -> None:
    PartialUpload.objects.all().delete()
    address = api.begin()["Location"]
    api.send(address, 0, DATA[:7])
    api.send(address, offset, b"x" * size)
    partial = PartialUpload.objects.get()
    assert partial.offset in (7, 7 + size)
    assert default_storage.size(partial.path) == partial.offset


@pytest.mark.parametrize(
    ("told", "status", "offset"), [("9", 204, 3), ("0", 204, 0), ("-1", 400, 0), ("x", 400, 0), ("9" * 11, 413, 0)]
)
def test_length_that_is_a_lie(told: str, status: int, offset: int, api: Tus) -> None:
    address = api.begin()["Location"]
    answer = api.send(address, 0, DATA[:3], CONTENT_LENGTH=told, **{"wsgi.input": io.BytesIO(DATA[:3])})
    assert answer.status_code == status
    assert api.offset(address) == offset


def test_upload_of_another_project_is_not_found_in_ones_own(api: Tus, stranger: User, client: Client) -> None:
    address = api.begin()["Location"]
    create_project("Theirs", by=stranger, slug="theirs")
    mine = address.replace("/colours/", "/theirs/")
    theirs = Tus(client, create_api_key(stranger, "test")[1], "theirs")
    assert client.head(mine, headers=theirs.headers).status_code == 404
    assert theirs.send(mine, 0, DATA).status_code == 404
    assert client.delete(mine, headers=theirs.headers).status_code == 404
    assert api.offset(address) == 0


def test_many_uploads_announced_at_once_cannot_go_past_the_bound(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumable, "MOST_OPEN", 3)
    for _ in range(9):
        try:
            resumable.begin(project, resumable.Announced("a.zip", 9), by=project.owner)
        except UserError:
            continue
    assert PartialUpload.objects.count() == 3
