"""Define and read the environment variables of PoetsWeb. `.env.example` describes each of them.

They are read once and checked together, so that somebody who wrote three wrong values is told about all three.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from django.core.exceptions import ImproperlyConfigured
from dotenv import dotenv_values, load_dotenv
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from ml.backbones.registry import DEFAULT_BACKBONE
from ml.settings import PUBLISHER
from poetsweb.env_values import (
    BackboneName,
    Domains,
    Folder,
    Origins,
    Proxies,
    SignUp,
    Sources,
    TimeZone,
    Token,
    UserFilter,
    Words,
    url_with,
)

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
SOURCES: dict[str, str] = {}  # where each variable comes from: environment, .env, file or default
FLOWERS = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"


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
    POETSWEB_SIGNUP: SignUp = None
    SIGNUP_DOMAINS: Domains = []
    SECRET_KEY: str | None = None
    TIME_ZONE: TimeZone = "UTC"
    DEBUG: bool = False
    LOG_JSON: bool = False
    SENTRY_DSN: Annotated[str, url_with("https://", "http://")] = ""
    OTEL_EXPORTER_OTLP_ENDPOINT: Annotated[str, url_with("https://", "http://")] = ""
    OTEL_EXPORTER_OTLP_HEADERS: str = ""
    METRICS_TOKEN: Token = ""

    HTTPS: bool = False
    BEHIND_PROXY: bool = False
    TRUSTED_PROXIES: Proxies = []
    CSRF_TRUSTED_ORIGINS: Words = []
    CORS_ALLOWED_ORIGINS: Origins = []
    HSTS_SECONDS: int | None = Field(None, ge=0, le=10**9)
    HSTS_SUBDOMAINS: bool = False

    DATABASE_URL: Annotated[str | None, url_with("postgres://", "postgresql://", "sqlite:///")] = None
    REDIS_URL: Annotated[str, url_with("redis://", "rediss://", "unix://")] = ""
    S3_BUCKET: str = ""
    S3_ENDPOINT_URL: Annotated[str, url_with("https://", "http://")] = ""
    IMPORT_FROM: Sources = []

    SITE_URL: Annotated[str, url_with("https://", "http://")] = ""
    MAIL_URL: Annotated[str, url_with("smtp://", "smtp+tls://", "smtp+ssl://")] = ""
    MAIL_FROM: str = ""

    OIDC_ISSUER: Annotated[str, url_with("https://", "http://")] = ""
    OIDC_CLIENT_ID: str = ""
    OIDC_CLIENT_SECRET: str = ""
    OIDC_NAME: str = "your organisation"
    OIDC_ACCOUNTS: Literal["existing", "all"] = "existing"
    LDAP_URL: Annotated[str, url_with("ldaps://", "ldap://", "ldapi://")] = ""
    LDAP_START_TLS: bool = False
    LDAP_BIND_DN: str = ""
    LDAP_BIND_PASSWORD: str = ""
    LDAP_SEARCH: str = ""
    LDAP_FILTER: UserFilter = "(uid=%(user)s)"
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
    QUOTA_USER_JOBS: int = Field(100, ge=0, le=10**6)
    QUOTA_USER_REQUESTS: int = Field(0, ge=0, le=10**9)
    QUOTA_PROJECT_PICTURES: int = Field(0, ge=0, le=10**9)
    QUOTA_PROJECT_GB: int = Field(0, ge=0, le=10**6)

    POETSWEB_BACKBONE: BackboneName = DEFAULT_BACKBONE
    WEIGHTS_URL: Annotated[str, url_with("https://", "http://")] = PUBLISHER
    FETCH_PRIVATE_ADDRESSES: bool = False
    UNCONFINED_NETWORKS: bool = False
    FLOWERS_URL: Annotated[str, url_with("https://", "http://")] = FLOWERS

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
