"""The site below a path of another one, such as https://school.org/poets/."""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def below_base_path(application: Application) -> Application:
    """Return an application that takes requests with the path before them, and those whose proxy has taken it away.

    Django learns of the path from FORCE_SCRIPT_NAME.
    """
    base = settings.BASE_PATH

    def stripped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if base and (path == base or path.startswith(f"{base}/")):
            environ["PATH_INFO"] = path[len(base) :] or "/"
        return application(environ, start_response)

    return stripped
