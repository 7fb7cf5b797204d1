from typing import Any

from django.conf import settings
from django.http import HttpRequest

from classifier.disk import is_low


def site(request: HttpRequest) -> dict[str, Any]:
    """Return what every template may need."""
    return {"signup_open": settings.SIGNUP_OPEN, "disk_is_low": is_low}
