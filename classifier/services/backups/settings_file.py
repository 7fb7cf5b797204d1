"""The settings of a site as lines of a `.env` file, so that another can be set up like it."""

import os
import shlex
from typing import Any

from django.conf import settings

from poetsweb.env import ENVIRONMENT, SECRETS, Environment

SETTINGS = "settings.env"
# Where the site was: another one is elsewhere.
PLACES = {"POETSWEB_DATA", "HOST", "PORT"}
OF_THE_BUCKET = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


def describe_settings(*, with_secrets: bool) -> str:
    """Return the settings that differ from their defaults, and secrets only if they are wanted."""
    found = {name: getattr(ENVIRONMENT, name) for name in Environment.model_fields if name not in (*PLACES, *SECRETS)}
    changed = {name: value for name, value in found.items() if value != Environment.model_fields[name].default}
    if with_secrets:
        changed |= {name: value for name in SECRETS if (value := getattr(ENVIRONMENT, name))}
        changed["SECRET_KEY"] = settings.SECRET_KEY
        changed |= {name: os.environ[name] for name in OF_THE_BUCKET if os.environ.get(name)}
    return "".join(f"{name}={shlex.quote(_as_written(value))}\n" for name, value in changed.items())


def _as_written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)
