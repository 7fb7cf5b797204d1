"""What is asked of the API at a wrong address, or with a wrong method, is answered in JSON as well."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt

GetResponse = Callable[[HttpRequest], HttpResponse]


@csrf_exempt
def not_found(request: HttpRequest) -> JsonResponse:
    """Answer for an address that is not in the API, and name the right one where a slash makes the difference."""
    sentence = "There is no such address in the API; see /api/v1/docs."
    without = "/" + "/".join(part for part in request.path_info.split("/") if part)
    if without != request.path_info and _is_call(without):
        sentence = f"There is no such address in the API; leave out the slash that is too many: {without}"
    return JsonResponse({"error": sentence}, status=404)


def _is_call(path: str) -> bool:
    try:
        return resolve(path).func is not not_found
    except Resolver404:
        return False


def explain_wrong_methods(get_response: GetResponse) -> GetResponse:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code != 405 or not request.path_info.startswith("/api/"):
            return response
        allowed = ", ".join(sorted(response.headers["Allow"].split(", ")))
        sentence = f"This address does not answer {request.method}; it answers {' and '.join(allowed.rsplit(', ', 1))}."
        return JsonResponse({"error": sentence}, status=405, headers={"Allow": allowed})

    return middleware
