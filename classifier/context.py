from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """Return what every template may need."""
    return {"signup_open": settings.SIGNUP_OPEN}
