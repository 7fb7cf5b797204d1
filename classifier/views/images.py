"""The bytes of pictures and their thumbnails."""

from collections.abc import Callable

from django.http import Http404, HttpResponse, HttpResponseBase

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.models import Project
from classifier.models.image import THUMBNAIL_SIZES
from classifier.outages import raise_outage
from classifier.services import images
from ml.images.decoding import ImageRejected
from ml.images.formats import FORMATS

THUMBNAIL_MIME = "image/jpeg"
FOR_EVER = "private, max-age=31536000, immutable"  # the address holds the sha256


@project_page
def thumbnail(request: SignedIn, project: Project, sha256: str, size: int) -> HttpResponseBase:
    if size not in THUMBNAIL_SIZES:
        raise Http404
    return _send(_read(lambda: images.read_thumbnail(selectors.get_image(project, sha256), size)), THUMBNAIL_MIME)


@project_page
def picture(request: SignedIn, project: Project, sha256: str) -> HttpResponseBase:
    image = selectors.get_image(project, sha256)
    known = FORMATS[image.format]
    response = _send(_read(lambda: images.read_picture(image)), known.mime)
    if not known.is_shown:
        response["Content-Disposition"] = f'attachment; filename="{sha256[:12]}.{known.endings[0]}"'
    return response


def _read(read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except OSError as error:
        raise_outage(error)
        raise Http404 from None
    except ImageRejected:
        raise Http404 from None


def _send(data: bytes, mime: str) -> HttpResponse:
    headers = {"Cache-Control": FOR_EVER, "X-Content-Type-Options": "nosniff"}
    return HttpResponse(data, content_type=mime, headers=headers)
