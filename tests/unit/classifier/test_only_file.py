"""A body with one file is read without Django's parser, and what comes of it is the same."""

from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from classifier.bodies import take_only_file

END = b"\r\n--BOUNDARY--"
NAMES = st.sampled_from(
    [
        b"1.jpg",
        b"my photo (2).jpg",
        b"..",
        b"a ",
        b"a/b.jpg",
        b"a\\b",
        b"&amp;.jpg",
        b"\xc3\xa4.jpg",
        b"\xc4",
        b'"',
        b"",
    ]
) | st.binary(max_size=5)
HEADERS = st.sampled_from(
    [
        b"",
        b"\r\nContent-Type: image/jpeg",
        b"\r\nContent-Transfer-Encoding: base64",
        b"\r\nX: y",
        b"\r\nContent-Disposition: form-data; name=other",
        b"; filename*=UTF-8''b.jpg",
    ]
)
PIECES = st.sampled_from([b"--BOUNDARY", b"\r\n", b"--", b"\n", b"\r\n--BOUNDARY\r\n", END, b"\0"]) | st.binary(
    max_size=20
)


def body_of(name: bytes, data: bytes, field: bytes = b"image", more: bytes = b"", end: bytes = END) -> bytes:
    disposition = b'Content-Disposition: form-data; name="' + field + b'"; filename="' + name + b'"'
    return b"--BOUNDARY\r\n" + disposition + more + b"\r\n\r\n" + data + end


def ask(body: bytes, kind: str = "multipart/form-data; boundary=BOUNDARY") -> WSGIRequest:
    return RequestFactory().post("/", body, content_type=kind)


@pytest.mark.parametrize("more", [b"", b"\r\nContent-Type: image/svg+xml"])
@pytest.mark.parametrize("end", [END, END + b"\r\n"])
@pytest.mark.parametrize("data", [b"", b"\r\n", b"picture\r\n\r\n--BOUND"])
def test_body_of_one_file_is_taken(data: bytes, end: bytes, more: bytes) -> None:
    found = take_only_file(ask(body_of(b"a photo.jpg", data, more=more, end=end)), "image")
    assert found is not None
    assert (found.name, found.read()) == ("a photo.jpg", data)


@pytest.mark.parametrize(
    "body",
    {
        "two files": body_of(b"1.jpg", b"1", end=b"\r\n") + body_of(b"2.jpg", b"2"),
        "other field": body_of(b"1.jpg", b"1", field=b"picture"),
        "cut": body_of(b"1.jpg", b"1")[:-1],
        "boundary in the data": body_of(b"1.jpg", b"1--BOUNDARY--"),
        "more behind it": body_of(b"1.jpg", b"1", end=END + b"\r\nmore"),
        "path": body_of(b"../1.jpg", b"1"),
        "nothing": b"",
    }.items(),
    ids=lambda pair: pair[0],
)
def test_other_bodies_are_left_as_they_were(body: tuple[str, bytes]) -> None:
    request = ask(body[1])
    assert take_only_file(request, "image") is None
    assert request.read() == body[1]


@pytest.mark.parametrize("kind", ["image/jpeg", "multipart/form-data", "multipart/form-data; boundary=\xe9"])
def test_body_of_another_kind_is_left_as_it_was(kind: str) -> None:
    request = ask(body_of(b"1.jpg", b"1"), kind)
    assert take_only_file(request, "image") is None
    assert request.read() == body_of(b"1.jpg", b"1")


def test_large_body_is_not_read_into_memory(settings: Any) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 100
    request = ask(body_of(b"1.jpg", b"1" * 100))
    assert take_only_file(request, "image") is None
    assert request._stream.read(2) == b"--"


def test_connection_that_breaks_is_told() -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError("gone")

    request = ask(body_of(b"1.jpg", b"1"))
    request._stream = Broken()
    with pytest.raises(UnreadablePostError):
        take_only_file(request, "image")


@given(
    st.just(b"1.jpg") | NAMES,
    st.lists(PIECES, max_size=3),
    st.sampled_from([*4 * [b"image"], b"image "]),
    st.just(b"") | HEADERS,
    st.sampled_from([*4 * [END], b""]),
)
def test_what_is_taken_is_what_django_reads(
    name: bytes, pieces: list[bytes], field: bytes, more: bytes, end: bytes
) -> None:
    body = body_of(name, b"".join(pieces), field, more, end)
    taken = take_only_file(ask(body), "image")
    if taken is None:
        return
    request = ask(body)
    try:
        files = [(key, one.name, one.read()) for key, many in request.FILES.lists() for one in many]
    except MultiPartParserError:
        files = []
    assert not request.POST
    assert files == [("image", taken.name, taken.read())]
