"""Read request bodies whole or not at all: those of unknown length, and multipart bodies with their odd headers."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Protocol

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from gunicorn.http.errors import ParseException

MULTIPART = "multipart/form-data"
CHUNK = 2**16
LONGEST_HEADER = 2**10  # bytes; Django refuses longer ones
# The header of a part with a file whose name means the same to every parser.
PLAIN_FILE = re.compile(
    rb'Content-Disposition: form-data; name="(\w+)"; filename="([A-Za-z0-9_][A-Za-z0-9_ .()-]*)"'
    rb"(?:\r\nContent-Type: [A-Za-z0-9.+/-]+)?",
    re.IGNORECASE,
)


class BodyCut(MultiPartParserError):
    """A multipart body ended before its last boundary, so the last file or field may lack its end."""


class Stream(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def is_chunked(request: HttpRequest) -> bool:
    """Return whether the body comes in chunks, without a Content-Length."""
    return "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()


def accept_chunks(request: HttpRequest, limit: int) -> None:
    """Let Django read a chunked body of at most `limit` bytes.

    Django takes a body without a Content-Length for empty, although the web server has joined the chunks. It is told
    the most that the length can be: by that it decides whether to keep files in memory.
    """
    if request.content_type != MULTIPART:
        limit = min(limit, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    request.META["CONTENT_LENGTH"] = str(limit)
    request._stream = ChunkedStream(request.META["wsgi.input"], limit)  # type: ignore[assignment] # it is only read


class ChunkedStream:
    """The chunks of a body, joined by the web server, up to a limit."""

    def __init__(self, stream: Stream, limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, size: int = -1, /) -> bytes:
        wanted = self._left + 1 if size is None or size < 0 else min(size, self._left + 1)
        try:
            data = self._stream.read(wanted)
        except ParseException as error:
            raise UnreadablePostError(str(error)) from None
        self._left -= len(data)
        if self._left < 0:
            raise RequestDataTooBig("The request is too large.")
        return data

    def close(self) -> None:
        """Do nothing: the web server closes its connection."""


def take_only_file(request: HttpRequest, field: str) -> SimpleUploadedFile | None:
    """Return the file of a small body that holds one, in this field, and nothing else, written as most programs do.

    Return None for any other body, which is then left to Django's parser: for a small one it takes as long as all else
    that a classifier's answer costs around the network. Raise UnreadablePostError.
    """
    length, boundary = request.META.get("CONTENT_LENGTH") or "", (request.content_params or {}).get("boundary", "")
    if request.content_type != MULTIPART or not boundary.isascii() or not boundary or not length.isdigit():
        return None
    if int(length) > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
        return None
    try:
        body = request._stream.read(int(length))
    except OSError as error:
        raise UnreadablePostError(*error.args) from error
    request._stream = BytesIO(body)  # for whoever reads it then
    return _only_file(body, b"--" + boundary.encode(), field)


def _only_file(body: bytes, delimiter: bytes, field: str) -> SimpleUploadedFile | None:
    head, _, rest = body.partition(b"\r\n\r\n")
    data, last, end = rest.partition(delimiter)
    if not head.startswith(delimiter + b"\r\n") or not last or end not in (b"--", b"--\r\n"):
        return None
    found = PLAIN_FILE.fullmatch(head, len(delimiter) + 2)
    if found is None or found[1] != field.encode() or not data.endswith(b"\r\n"):
        return None
    return SimpleUploadedFile(found[2].decode(), data[:-2])


def check_multipart(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        boundary = (request.content_params or {}).get("boundary", "")
        if request.content_type == MULTIPART and boundary and boundary.isascii():
            stream = MultipartStream(request._stream, boundary.encode())
            request._stream = stream  # type: ignore[assignment] # it is only read
        return get_response(request)

    return middleware


class MultipartStream:
    """A multipart body whose headers are UTF-8, and which says so if it was cut off.

    Django takes a header that is not UTF-8 for a part of the content, and loses the file without a word; so it does
    with whatever a body that was cut off ends in.
    """

    def __init__(self, stream: Stream, boundary: bytes) -> None:
        self._stream, self._delimiter = stream, b"--" + boundary
        self._waiting = self._ready = b""  # what was read, before and after its headers are UTF-8
        self._in_header = self._ended = self._empty = False

    def read(self, size: int = -1, /) -> bytes:
        unbounded = size is None or size < 0
        while not self._empty and (unbounded or len(self._ready) < size):
            data = self._stream.read(CHUNK)
            self._empty = not data
            self._waiting += data
            self._ready += self._take_all()
        end = len(self._ready) if unbounded else size
        taken, self._ready = self._ready[:end], self._ready[end:]
        return taken

    def readline(self, size: int = -1, /) -> bytes:
        """Return the rest, or raise `BodyCut`: by lines, Django reads only what follows the parts.

        By then it has put away what it had begun to store, which an error between two chunks would leave open.
        """
        rest = self.read(CHUNK)
        if not rest and not self._ended:
            raise BodyCut("The body ended before its last boundary.")
        return rest

    def close(self) -> None:
        """Do nothing: the web server closes its connection."""

    def _take_all(self) -> bytes:
        parts = []
        while part := self._take_header() if self._in_header else self._take_content():
            parts.append(part)
        return b"".join(parts)

    def _take_content(self) -> bytes:
        """Return what is known to be content, up to the next delimiter and with it."""
        found = -1 if self._ended else self._waiting.find(self._delimiter)
        if found >= 0:
            self._in_header = True
            return self._cut(found + len(self._delimiter))
        kept = 0 if self._empty or self._ended else len(self._delimiter) - 1
        return self._cut(max(0, len(self._waiting) - kept))

    def _take_header(self) -> bytes:
        """Return the header of a part in UTF-8, or nothing while its end has not been read."""
        if self._waiting.startswith(b"--"):
            self._ended, self._in_header = True, False
            return self._cut(2)
        end = self._waiting.find(b"\r\n\r\n")
        if end < 0 and len(self._waiting) <= LONGEST_HEADER and not self._empty:
            return b""
        self._in_header = False
        return _to_utf8(self._cut(end + 4 if end >= 0 else len(self._waiting)))

    def _cut(self, size: int) -> bytes:
        taken, self._waiting = self._waiting[:size], self._waiting[size:]
        return taken


def _to_utf8(header: bytes) -> bytes:
    try:
        header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1").encode()  # never fails, and keeps the ASCII of other encodings
    return header
