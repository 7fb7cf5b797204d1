"""The words of the tus protocol 1.0 (tus.io): its headers, and what a request says in them."""

import base64
import binascii
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError

from classifier.bodies import is_chunked
from classifier.services.resumable import MOST_PART, Announced, TooLarge
from ml.errors import Refused

VERSION = "1.0.0"
EXTENSIONS = "creation,termination"
PART_TYPE = "application/offset+octet-stream"
ASKED = ("Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Offset")
ANSWERED = (*ASKED, "Tus-Version", "Tus-Extension", "Tus-Max-Size")
LONGEST_METADATA = 4000  # characters
PIECE = 2**18

GetResponse = Callable[[HttpRequest], HttpResponse]


def speak_tus(get_response: GetResponse) -> GetResponse:
    """Refuse other versions of the protocol, and name ours in each answer."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/api/") or "/resumable" not in request.path_info:
            return get_response(request)
        asked = request.headers.get("Tus-Resumable", VERSION)
        if asked != VERSION and request.method != "OPTIONS":
            sentence = f"This site speaks version {VERSION} of the tus protocol."
            response: HttpResponse = JsonResponse({"error": sentence}, status=412, headers={"Tus-Version": VERSION})
        else:
            response = get_response(request)
        response.headers["Tus-Resumable"] = VERSION
        return response

    return middleware


def describe() -> dict[str, str]:
    """Return the headers that say what this site can."""
    largest = settings.ARCHIVE_LIMITS.max_total_bytes
    return {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": str(largest)}


def read_announcement(size: int, metadata: str) -> Announced:
    """Read what a request says of an archive. Raise Refused."""
    if len(metadata) > LONGEST_METADATA:
        raise Refused(f"Upload-Metadata may have {LONGEST_METADATA:,} characters at most.")
    if not (metadata.isascii() and metadata.isprintable()):
        raise Refused("Upload-Metadata is not printable ASCII; send the values in Base64.")
    values = dict(_read_pair(pair) for pair in metadata.split(",") if pair.strip())
    modified = values.get("lastModified", "")
    known = modified.isascii() and modified.isdigit() and len(modified) < 18
    return Announced(
        values.get("filename", ""),
        size,
        values.get("layout", ""),
        confirm=values.get("confirm") == "true",
        last_modified=int(modified) if known else None,
        metadata=metadata,
    )


def _read_pair(pair: str) -> tuple[str, str]:
    key, _, value = pair.strip().partition(" ")
    try:
        return key, base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise Refused(f"The value of “{key[:50]}” in Upload-Metadata is not UTF-8 text in Base64.") from None


def read_part(request: HttpRequest) -> tuple[bytes, bool]:
    """Return what came of a part, and whether that is all of it. Raise TooLarge."""
    length = None if is_chunked(request) else int(request.META.get("CONTENT_LENGTH") or 0)
    part = bytearray()
    try:
        while length is None or len(part) < length:
            if (length or len(part)) > MOST_PART:
                raise TooLarge(f"A part may have {MOST_PART // 2**20} MB at most; parts of 8 MB are right.")
            if not (piece := request.read(PIECE)):
                break
            part += piece
    except UnreadablePostError:
        return bytes(part), False
    return bytes(part), length in (None, len(part))
