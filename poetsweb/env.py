"""Typed reading of environment variables: a wrong value is one sentence that says what to write instead."""

import hashlib
import os
import tempfile
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

TRUE_WORDS = {"1", "true", "yes", "on"}
MAX_SOCKET_FOLDER_BYTES = 84  # bytes, which leaves room for a number and a name
FALSE_WORDS = {"0", "false", "no", "off"}


def read(name: str, default: T, parse: Callable[[str], T], expected: str) -> T:
    """The variable `name` parsed, or `default` where it is unset or empty."""
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        return parse(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r} is not valid; write {expected}.") from None


def text(name: str, default: str = "") -> str:
    return read(name, default, str, "some text")


def boolean(name: str, default: bool) -> bool:
    def parse(raw: str) -> bool:
        if raw.lower() in TRUE_WORDS | FALSE_WORDS:
            return raw.lower() in TRUE_WORDS
        raise ValueError

    return read(name, default, parse, "true or false")


def integer(name: str, default: int, *, low: int, high: int) -> int:
    def parse(raw: str) -> int:
        value = int(raw)
        if not low <= value <= high:
            raise ValueError
        return value

    return read(name, default, parse, f"a whole number from {low} to {high}")


def words(name: str, default: list[str]) -> list[str]:
    def parse(raw: str) -> list[str]:
        return [word.strip() for word in raw.split(",") if word.strip()]

    return read(name, default, parse, "values separated by commas")


def folder(name: str, default: Path) -> Path:
    """An absolute path, relative ones being taken from the project's folder by the caller's default."""
    return read(name, default, lambda raw: Path(raw).expanduser().resolve(), "the path of a folder")


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    def parse(raw: str) -> str:
        if raw not in allowed:
            raise ValueError
        return raw

    return read(name, default, parse, "one of " + ", ".join(allowed))


def load_file(path: Path) -> None:
    """Take NAME=value lines of a `.env` file into the environment; what is already set there wins."""
    import environ

    if path.is_file():
        environ.Env.read_env(path, overwrite=False)


def socket_folder(data_dir: Path, name: str) -> Path:
    """A folder of this data folder for Unix sockets; the same for every process that uses it.

    A socket's path may have at most 107 bytes (on macOS 103), so a deep folder gets a short name elsewhere, made
    from its path and its user so that two copies never meet.
    """
    folder = data_dir / name
    if len(os.fsencode(folder)) <= MAX_SOCKET_FOLDER_BYTES:
        return folder
    mark = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"poetsweb-{os.getuid()}-{mark}-{name}"


def time_zone(name: str, default: str) -> str:
    def parse(raw: str) -> str:
        if raw not in zoneinfo.available_timezones():
            raise ValueError
        return raw

    return read(name, default, parse, "the name of a time zone, such as Europe/Berlin")


def address(name: str, default: str, beginnings: tuple[str, ...]) -> str:
    """A URL that begins with one of these. What is wrong is said without showing it: it may hold a password."""
    raw = text(name, default)
    try:
        known = not raw or raw.startswith(beginnings)
        urlsplit(raw).port  # noqa: B018 - raises ValueError for a port that is no number
    except ValueError:
        raise ImproperlyConfigured(f"{name} has a port that is not a number.") from None
    if not known:
        raise ImproperlyConfigured(f"{name} must begin with {', '.join(beginnings[:-1])} or {beginnings[-1]}.")
    return raw
