"""The settings as the administrator sees them: values, where they come from, and what `.env.example` says of them."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from poetsweb.env import BASE_DIR, ENVIRONMENT, SECRETS, SOURCES, Environment

HIDDEN = "set, and not shown"
_SECTION, _LINE = re.compile(r"^# --- (.+?) -*$"), re.compile(r"^#([A-Z][A-Z0-9_]*)=")


@dataclass(frozen=True)
class Setting:
    """A setting. Where it is a secret, the value only says whether there is one.

    Attributes:
        source: "environment", ".env", "file" (that NAME_FILE names) or "default".
        default: as it is written in `.env.example`; empty where it depends on the machine.
    """

    name: str
    value: str
    default: str
    source: str
    section: str
    description: str


def describe_settings(effective: dict[str, Any]) -> list[Setting]:
    """List all settings in the order of `.env.example`. `effective` has what was computed for those without a value."""
    told = _read_example()
    names = [*told, *(name for name in Environment.model_fields if name not in told)]
    return [_describe(name, effective, *told.get(name, ("", ""))) for name in names]


def _describe(name: str, effective: dict[str, Any], section: str, description: str) -> Setting:
    value = getattr(ENVIRONMENT, name)
    default = "" if name in SECRETS else _as_text(Environment.model_fields[name].default)
    if name in SECRETS:
        shown = HIDDEN if value else ""
    else:
        shown = _as_text(effective.get(name) if value in (None, "") else value)
    return Setting(name, shown, default if name != "POETSWEB_DATA" else "", SOURCES[name], section, description)


def _as_text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(map(_without_password, value))
        case _:
            return _without_password(str(value))


def _without_password(text: str) -> str:
    """Return a text, without what stands before the @ of an address."""
    if "://" not in text or "@" not in text:
        return text
    parts = urlsplit(text)
    return parts._replace(netloc="…@" + parts.netloc.rpartition("@")[2]).geturl()


@cache
def _read_example() -> dict[str, tuple[str, str]]:
    """Return the section and the description of each setting that `.env.example` has."""
    try:
        lines = (BASE_DIR / ".env.example").read_text(encoding="utf-8").splitlines()
    except OSError:  # the settings are shown all the same
        return {}
    found, section, comment = {}, "", list[str]()
    for line in lines:
        if heading := _SECTION.match(line):
            section, comment = heading[1], []
        elif setting := _LINE.match(line):
            found[setting[1]], comment = (section, " ".join(comment)), []
        else:
            comment = [*comment, line.removeprefix("# ")] if line.startswith("# ") else []
    return found
