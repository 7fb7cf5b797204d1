"""Map addresses to the site's pages, and to the API under /api/v1/."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [path("", include("classifier.urls"))]
handler400 = "classifier.views.errors.bad_request"
handler404 = "classifier.views.errors.not_found"
handler500 = "classifier.views.errors.server_error"
handler403 = "classifier.views.errors.forbidden"

if settings.DEBUG:
    from django.contrib.staticfiles.urls import staticfiles_urlpatterns

    urlpatterns += staticfiles_urlpatterns()
