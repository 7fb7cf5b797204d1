"""Check what is written as the values of environment variables: each error says what to write instead."""

import ipaddress
import zoneinfo
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from ml.backbones.registry import BACKBONES
from poetsweb.email_domains import normalise_domain

MAX_PROXIES = 9
LEAST_TOKEN = 16  # characters of what others must not guess


def url_with(*beginnings: str) -> AfterValidator:
    """Return a check that a URL begins with one of these.

    Its messages do not show the URL, because it may contain a password.
    """

    def check(url: str) -> str:
        try:
            urlsplit(url).port  # noqa: B018 - raises ValueError for a port that is no number
        except ValueError:
            raise ValueError("has a port that is not a number") from None
        if url and not url.startswith(beginnings):
            raise ValueError(f"must begin with {', '.join(beginnings[:-1])} or {beginnings[-1]}")
        return url

    return AfterValidator(check)


def _known_backbone(name: str) -> str:
    if name not in BACKBONES:
        raise ValueError(f"write one of {', '.join(BACKBONES)}")
    return name


def _known_time_zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise ValueError("write the name of a time zone, such as Europe/Berlin")
    return name


def _is_long(token: str) -> str:
    if token and len(token) < LEAST_TOKEN:
        raise ValueError(f"must have at least {LEAST_TOKEN} characters")
    return token


def _split(words: str | list[str]) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()] if isinstance(words, str) else words


def _are_origins(origins: list[str]) -> list[str]:
    for origin in origins:
        parts = urlsplit(origin)
        exact = f"{parts.scheme}://{parts.netloc}" == origin and parts.scheme in ("https", "http") and parts.netloc
        if origin != "*" and not exact:
            raise ValueError("write origins such as https://app.example.org, without a path, or * for all of them")
    return origins


def _are_proxies(proxies: list[str]) -> list[str]:
    """Check a number of proxies, or their addresses and networks."""
    if len(proxies) == 1 and proxies[0].isascii() and proxies[0].isdigit() and int(proxies[0]) <= MAX_PROXIES:
        return proxies
    try:
        return [str(ipaddress.ip_network(proxy)) for proxy in proxies]
    except ValueError:
        raise ValueError(
            f"write the number of proxies, at most {MAX_PROXIES}, or their addresses, such as 10.0.0.7,10.1.0.0/16"
        ) from None


def _are_sources(sources: list[str]) -> list[str]:
    for source in sources:
        if not source.startswith(("/", "s3://")) or source in ("/", "s3://"):
            raise ValueError(
                "write folders such as /srv/photos and buckets such as s3://photos/2026, with commas between"
            )
    return [source.rstrip("/") for source in sources]


def _are_domains(domains: list[str]) -> list[str]:
    try:
        return [normalise_domain(domain) for domain in domains]
    except ValueError:
        raise ValueError("write domains such as school.org,lab.example, with commas between") from None


def _names_user(text: str) -> str:
    if text.count("%(user)s") == 0 or text.replace("%(user)s", "").count("%") or not text.startswith("("):
        raise ValueError("write a filter with %(user)s in it, such as (uid=%(user)s)")
    return text


def _sign_up(word: str | None) -> str | None:
    """Read also what could be written before there were invitations."""
    return {"true": "open", "1": "open", "false": "closed", "0": "closed"}.get(word.lower(), word) if word else word


Words = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Origins = Annotated[Words, AfterValidator(_are_origins)]
Proxies = Annotated[Words, AfterValidator(_are_proxies)]
Sources = Annotated[Words, AfterValidator(_are_sources)]
Domains = Annotated[Words, AfterValidator(_are_domains)]
SignUp = Annotated[Literal["open", "invitation", "domain", "closed"] | None, BeforeValidator(_sign_up)]
BackboneName = Annotated[str, AfterValidator(_known_backbone)]
TimeZone = Annotated[str, AfterValidator(_known_time_zone)]
Token = Annotated[str, AfterValidator(_is_long)]
UserFilter = Annotated[str, AfterValidator(_names_user)]
Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().resolve())]
