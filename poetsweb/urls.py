"""Map addresses to the site's pages, and to the API under /api/v1/."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import include, path, re_path


def api_not_found(request: HttpRequest) -> JsonResponse:
    """Answer in JSON for an address that is not in the API."""
    return JsonResponse({"error": "There is no such address in the API; see /api/v1/docs."}, status=404)


urlpatterns = [
    path("", include("classifier.urls")),
    re_path("^api/", api_not_found),
]
handler404 = "classifier.views.errors.not_found"
handler500 = "classifier.views.errors.server_error"
handler403 = "classifier.views.errors.forbidden"

if settings.DEBUG:
    from django.contrib.staticfiles.urls import staticfiles_urlpatterns

    urlpatterns += staticfiles_urlpatterns()
