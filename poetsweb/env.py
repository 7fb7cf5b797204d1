"""Define and read the environment variables of PoetsWeb. `.env.example` describes each of them.

They are read once and checked together, so that somebody who wrote three wrong values is told about all three.
"""

import ipaddress
import os
import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from dotenv import dotenv_values, load_dotenv
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ml.backbones.registry import BACKBONES, DEFAULT_BACKBONE
from ml.settings import PUBLISHER
from poetsweb.email_domains import normalise_domain

BASE_DIR = Path(__file__).resolve().parent.parent
SECRETS = (
    "SECRET_KEY",
    "DATABASE_URL",
    "REDIS_URL",
    "MAIL_URL",
    "METRICS_TOKEN",
    "OIDC_CLIENT_SECRET",
    "SENTRY_DSN",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "LDAP_BIND_PASSWORD",
)  # each may be in a file that NAME_FILE names
MAX_SECRET_BYTES = 10_000
MAX_PROXIES = 9
SOURCES: dict[str, str] = {}  # where each variable comes from: environment, .env, file or default
LEAST_TOKEN = 16  # characters of what others must not guess
FLOWERS = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"


def _url(*beginnings: str) -> AfterValidator:
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
SignUp = Literal["open", "invitation", "domain", "closed"]
Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().resolve())]


class Environment(BaseSettings):
    """The variables with their types, limits and defaults; None if settings.py computes the default."""

    model_config = SettingsConfigDict(case_sensitive=True, env_ignore_empty=True, frozen=True)

    POETSWEB_DATA: Folder = BASE_DIR / "var"
    HOST: str = "127.0.0.1"
    PORT: int = Field(8000, ge=1, le=65535)
    ALLOWED_HOSTS: Words = ["localhost", "127.0.0.1", "[::1]"]
    TRASH_DAYS: int = Field(30, ge=1, le=3650)
    AUDIT_DAYS: int = Field(365, ge=0, le=36500)
    EMBEDDINGS_IN_DATABASE: int = Field(1_000_000, ge=0, le=10**10)
    POETSWEB_SIGNUP: Annotated[SignUp | None, BeforeValidator(_sign_up)] = None
    SIGNUP_DOMAINS: Annotated[Words, AfterValidator(_are_domains)] = []
    SECRET_KEY: str | None = None
    TIME_ZONE: Annotated[str, AfterValidator(_known_time_zone)] = "UTC"
    DEBUG: bool = False
    LOG_JSON: bool = False
    SENTRY_DSN: Annotated[str, _url("https://", "http://")] = ""
    OTEL_EXPORTER_OTLP_ENDPOINT: Annotated[str, _url("https://", "http://")] = ""
    OTEL_EXPORTER_OTLP_HEADERS: str = ""
    METRICS_TOKEN: Annotated[str, AfterValidator(_is_long)] = ""

    HTTPS: bool = False
    BEHIND_PROXY: bool = False
    TRUSTED_PROXIES: Annotated[Words, AfterValidator(_are_proxies)] = []
    CSRF_TRUSTED_ORIGINS: Words = []
    CORS_ALLOWED_ORIGINS: Annotated[Words, AfterValidator(_are_origins)] = []
    HSTS_SECONDS: int | None = Field(None, ge=0, le=10**9)
    HSTS_SUBDOMAINS: bool = False

    DATABASE_URL: Annotated[str | None, _url("postgres://", "postgresql://", "sqlite:///")] = None
    REDIS_URL: Annotated[str, _url("redis://", "rediss://", "unix://")] = ""
    S3_BUCKET: str = ""
    S3_ENDPOINT_URL: Annotated[str, _url("https://", "http://")] = ""
    IMPORT_FROM: Annotated[Words, AfterValidator(_are_sources)] = []

    SITE_URL: Annotated[str, _url("https://", "http://")] = ""
    MAIL_URL: Annotated[str, _url("smtp://", "smtp+tls://", "smtp+ssl://")] = ""
    MAIL_FROM: str = ""

    OIDC_ISSUER: Annotated[str, _url("https://", "http://")] = ""
    OIDC_CLIENT_ID: str = ""
    OIDC_CLIENT_SECRET: str = ""
    OIDC_NAME: str = "your organisation"
    OIDC_ACCOUNTS: Literal["existing", "all"] = "existing"
    LDAP_URL: Annotated[str, _url("ldaps://", "ldap://", "ldapi://")] = ""
    LDAP_START_TLS: bool = False
    LDAP_BIND_DN: str = ""
    LDAP_BIND_PASSWORD: str = ""
    LDAP_SEARCH: str = ""
    LDAP_FILTER: Annotated[str, AfterValidator(_names_user)] = "(uid=%(user)s)"
    LDAP_REQUIRE_GROUP: str = ""

    WEB_WORKERS: int | None = Field(None, ge=1, le=64)
    WEB_THREADS: int = Field(16, ge=1, le=64)
    EMBED_WORKERS: int | None = Field(None, ge=1, le=256)
    EMBED_EARLY: bool = True
    PREDICT_THREADS: int | None = Field(None, ge=1, le=64)

    MAX_IMAGE_MB: int = Field(50, ge=1, le=2000)
    MAX_IMAGE_MEGAPIXELS: int = Field(100, ge=1, le=100)
    MAX_ARCHIVE_ENTRIES: int = Field(200_000, ge=1, le=10**7)
    MAX_ARCHIVE_GB: int = Field(20, ge=1, le=10_000)
    MAX_CLASSIFY_FILES: int = Field(100, ge=1, le=2000)
    QUOTA_USER_PICTURES: int = Field(0, ge=0, le=10**9)
    QUOTA_USER_GB: int = Field(0, ge=0, le=10**6)
    QUOTA_PROJECT_PICTURES: int = Field(0, ge=0, le=10**9)
    QUOTA_PROJECT_GB: int = Field(0, ge=0, le=10**6)

    POETSWEB_BACKBONE: Annotated[str, AfterValidator(_known_backbone)] = DEFAULT_BACKBONE
    WEIGHTS_URL: Annotated[str, _url("https://", "http://")] = PUBLISHER
    FETCH_PRIVATE_ADDRESSES: bool = False
    UNCONFINED_NETWORKS: bool = False
    FLOWERS_URL: Annotated[str, _url("https://", "http://")] = FLOWERS

    @field_validator("IMPORT_FROM")
    @classmethod
    def _is_elsewhere(cls, sources: list[str], info: ValidationInfo) -> list[str]:
        """Refuse what holds this site's own files: everybody could bring in everybody's pictures."""
        data, bucket = info.data.get("POETSWEB_DATA"), info.data.get("S3_BUCKET")
        for source in sources:
            folder = Path(source).resolve()
            if bucket and source.removeprefix("s3://").partition("/")[0] == bucket:
                raise ValueError(f"write another bucket: {bucket} is S3_BUCKET, which holds the pictures of all users")
            if data and not source.startswith("s3://") and (folder in (data, *data.parents) or data in folder.parents):
                raise ValueError(
                    f"write other folders: {source} holds the data folder of this site, or is in it, and there are the"
                    " pictures of all users"
                )
        return sources

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value


def read_environment(file: Path) -> Environment:
    """Read the variables from the environment and the `.env` file; the environment wins.

    The lines of the file become environment variables because other libraries read some of them: boto3 reads the keys
    of the bucket. Raise `ImproperlyConfigured` with a sentence for each wrong variable.
    """
    load_dotenv(file)
    SOURCES.update(_find_sources(dotenv_values(file)))
    try:
        return Environment(**_read_secret_files())
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise ImproperlyConfigured(" ".join(_explain(one) for one in found)) from None


def _find_sources(written: dict[str, str | None]) -> dict[str, str]:
    """Return where each variable comes from. `written` is what `.env` has.

    Processes that the site starts find it in their environment: what is the same in both is from the file.
    """
    found = {}
    for name in Environment.model_fields:
        value = os.environ.get(name, "").strip()
        if value:
            found[name] = ".env" if (written.get(name) or "").strip() == value else "environment"
        else:
            in_file = name in SECRETS and os.environ.get(f"{name}_FILE", "").strip()
            found[name] = "file" if in_file else "default"
    return found


def _read_secret_files() -> dict[str, Any]:
    """Return the secrets that are in files, as Docker and Kubernetes pass them: SECRET_KEY_FILE=/run/secrets/key."""
    found: dict[str, Any] = {}
    for name in SECRETS:
        path = os.environ.get(f"{name}_FILE", "").strip()
        if not path:
            continue
        if os.environ.get(name, "").strip():
            raise ImproperlyConfigured(f"Both {name} and {name}_FILE are set; set one of them.")
        try:
            with open(path, encoding="utf-8") as file:
                found[name] = file.read(MAX_SECRET_BYTES).strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ImproperlyConfigured(f"{name}_FILE names a file that cannot be read: {why}.") from None
        if not found[name]:
            raise ImproperlyConfigured(f"{name}_FILE names a file that is empty.")
    return found


def _explain(error: ErrorDetails) -> str:
    """Return a sentence that says what to write instead."""
    name = str(error["loc"][0])
    advice = str(error["ctx"]["error"]) if error["type"] == "value_error" else f"write {_describe_values(name)}"
    if not advice.startswith("write "):  # it is about a URL, which may hold a password
        return f"{name} {advice}."
    return f"{name}={str(error['input'])[:100]!r} is not valid; {advice}."


def _describe_values(name: str) -> str:
    field = Environment.model_fields[name]
    if field.annotation in (bool, bool | None):
        return "true or false"
    bounds: dict[str, Any] = {}
    for one in field.metadata:
        bounds |= {key: getattr(one, key) for key in ("ge", "le") if hasattr(one, key)}
    return f"a whole number from {bounds['ge']} to {bounds['le']}" if bounds else "some text"


ENVIRONMENT = read_environment(BASE_DIR / ".env")
