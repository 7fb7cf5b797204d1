"""The call that programs make most, classify one picture with a key, past the parts of the site that only pages need.

Finding the user, then the project, then the version, sessions, messages, forms, the choice among all addresses, and a
body that may be anything, take 1.2 ms, a tenth of an answer. Whatever is not such a call takes the usual way, and
errors are answered by the API's own handlers.
"""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from classifier.api.classify import answer_files
from classifier.api.router import api
from classifier.bodies import take_only_file
from classifier.services.prediction import find_live_by_key

ADDRESS = re.compile(r"/api/v1/projects/([^/]+)/classify")


def classify_directly(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        scheme, _, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        by_key = request.method == "POST" and scheme.lower() == "bearer" and not request.META.get("QUERY_STRING")
        address = ADDRESS.fullmatch(request.path_info) if by_key else None
        response = _answer(request, key.strip(), address[1]) if address else None
        if response is None:
            return get_response(request)
        response.headers["Content-Length"] = str(len(response.content))  # or the connection could not be kept
        return response

    return middleware


def _answer(request: HttpRequest, key: str, slug: str) -> HttpResponse | None:
    """Return the answer, or None if nothing may or can answer, which is then left to the usual way."""
    try:
        request.get_host()  # raises for one that is not ours
        version = find_live_by_key(key, slug)
        picture = take_only_file(request, "image") if version else None
        return answer_files(slug, version, [picture]) if version and picture else None
    except Exception as error:
        return api.on_exception(request, error)
