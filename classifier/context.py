from typing import Any

from django.conf import settings
from django.http import HttpRequest

from classifier.disk import is_low
from classifier.services.accounts import may_sign_up


def site(request: HttpRequest) -> dict[str, Any]:
    """Return what every template may need."""
    return {"signup_open": may_sign_up(), "disk_is_low": is_low, "base_path": settings.BASE_PATH}
