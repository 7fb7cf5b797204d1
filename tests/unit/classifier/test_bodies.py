"""Bodies arrive whole or are refused: cut ones, those in chunks, and those whose file names are not UTF-8."""

from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from classifier.bodies import BodyCut, MultipartStream
from classifier.middleware import STRANGER_BYTES
from classifier.models import Image, ModelVersion, Project
from classifier.services import prediction
from classifier.services.accounts import create_api_key
from tests.pictures import make_jpeg
from tests.unit.classifier.test_pages import FakeEngine

MULTIPART = "multipart/form-data; boundary=BOUNDARY"


def part(name: str, data: bytes, file: bytes = b"") -> bytes:
    named = b'; filename="' + file + b'"' if file else b""
    head = b'--BOUNDARY\r\nContent-Disposition: form-data; name="' + name.encode() + b'"' + named
    return head + b"\r\n\r\n" + data + b"\r\n"


END = b"--BOUNDARY--\r\n"
WHOLE = part("class", b"red") + part("file", make_jpeg(1), b"1.jpg") + part("file", make_jpeg(2), b"2.jpg") + END


@pytest.fixture
def headers(owner: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_api_key(owner, 'test')[1]}"}


@pytest.fixture
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "get_engine", lambda name: FakeEngine())


def cuts() -> dict[str, int]:
    second = WHOLE.index(b"2.jpg")
    return {
        "in the class": WHOLE.index(b"red") + 1,
        "in the first file": WHOLE.index(b"1.jpg") + 200,
        "in a header": second,
        "in the second file": second + 200,
        "before the last boundary": len(WHOLE) - len(END),
        "in the last boundary": len(WHOLE) - 4,
    }


@pytest.mark.parametrize("where", cuts())
def test_upload_that_was_cut_is_refused(where: str, project: Project, client: Client, headers: dict[str, str]) -> None:
    body = WHOLE[: cuts()[where]]
    answer = client.post(f"/api/v1/projects/{project.slug}/uploads", body, content_type=MULTIPART, headers=headers)
    assert answer.status_code == 400
    assert answer.json() == {"error": "The body ended too early, so nothing of it was used. Send all of it again."}
    assert not Image.objects.exists()


def test_connection_that_was_lost_is_refused(project: Project, client: Client, headers: dict[str, str]) -> None:
    """Refuse a body that is shorter than its header said."""
    half = WHOLE[:-300]
    lost = {"wsgi.input": BytesIO(half), "CONTENT_LENGTH": str(len(WHOLE)), "CONTENT_TYPE": MULTIPART}
    answer = client.post(f"/api/v1/projects/{project.slug}/uploads", headers=headers, **lost)
    assert answer.status_code == 400
    assert "ended too early" in answer.json()["error"]


def test_page_says_that_the_connection_was_lost(project: Project, as_owner: Client) -> None:
    answer = as_owner.post(f"/projects/{project.slug}/uploads/archive", WHOLE[:-300], content_type=MULTIPART)
    assert answer.status_code == 400
    assert "The connection was lost" in answer.content.decode()


@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize("query", ["", "?"])
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\xc4pfel.jpg", "Äpfel.jpg"),
        ("Äpfel.jpg".encode(), "Äpfel.jpg"),
        ("苹果.jpg".encode("gbk"), "Æ»¹û.jpg"),
    ],
)
def test_file_name_of_any_encoding(
    sent: bytes, said: str, query: str, trained: ModelVersion, client: Client, headers: dict[str, str]
) -> None:
    body = part("image", make_jpeg(1, size=(500, 500)), sent) + END
    address = f"/api/v1/projects/{trained.project.slug}/classify{query}"
    answer = client.post(address, body, content_type=MULTIPART, headers=headers)
    assert answer.status_code == 200, answer.content
    assert [one["file"] for one in answer.json()["predictions"]] == [said]


def in_chunks(body: bytes, content_type: str) -> dict[str, Any]:
    """Return what gunicorn passes on: the chunks joined, without a length."""
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    return {"wsgi.input": BytesIO(body), "CONTENT_TYPE": content_type, **chunked}


def test_chunked_upload_is_read(project: Project, client: Client, headers: dict[str, str]) -> None:
    address = f"/api/v1/projects/{project.slug}/uploads"
    answer = client.post(address, headers=headers, **in_chunks(WHOLE, MULTIPART))
    assert answer.status_code == 201, answer.content
    assert [one["status"] for one in answer.json()["results"]] == ["stored", "stored"]


def test_chunked_json_is_read(client: Client, headers: dict[str, str], db: None) -> None:
    body = in_chunks(b'{"name": "Fruit"}', "application/json")
    assert client.post("/api/v1/projects", headers=headers, **body).status_code == 201


def test_chunked_body_of_a_stranger_is_bounded(client: Client, owner: User) -> None:
    large = part("file", b"x" * STRANGER_BYTES, b"1.jpg") + END
    answer = client.post("/sign-in", **in_chunks(large, MULTIPART))
    assert answer.status_code == 400


def test_chunked_upload_that_was_cut_is_refused(project: Project, client: Client, headers: dict[str, str]) -> None:
    address = f"/api/v1/projects/{project.slug}/uploads"
    answer = client.post(address, headers=headers, **in_chunks(WHOLE[:-300], MULTIPART))
    assert answer.status_code == 400


@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(1, 500), st.binary(max_size=20))
def test_whole_body_passes_unchanged(files: list[bytes], size: int, epilogue: bytes) -> None:
    body = b"".join(part("file", data, b"x") for data in files) + END + epilogue
    stream = MultipartStream(BytesIO(body), b"BOUNDARY")
    assert b"".join(iter(lambda: stream.read(size), b"")) == body


@given(st.binary(max_size=300), st.integers(1, 500), st.data())
def test_every_cut_is_noticed(data: bytes, size: int, draw: st.DataObject) -> None:
    body = part("file", data, b"x") + END.rstrip()
    cut = draw.draw(st.integers(1, len(body) - 1))
    stream = MultipartStream(BytesIO(body[:cut]), b"BOUNDARY")
    assert b"".join(iter(lambda: stream.read(size), b"")) == body[:cut]
    with pytest.raises(BodyCut):
        stream.readline()
