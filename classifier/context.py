from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from classifier.disk import is_low
from classifier.services.accounts import may_sign_up
from classifier.services.site_settings import get_banner


def site(request: HttpRequest) -> dict[str, Any]:
    """Return what every template may need."""
    return {
        "signup_open": may_sign_up(),
        "mail_is_set_up": settings.MAIL_IS_SET_UP,
        "oidc_name": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
        "disk_is_low": is_low,
        "base_path": settings.BASE_PATH,
        "banner": SimpleLazyObject(get_banner),
    }
