"""Define all settings of PoetsWeb. Each environment variable is described in `.env.example`."""

import re
from urllib.parse import quote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from ml.datasets.archives import ArchiveLimits
from ml.images.decoding import ImageLimits
from ml.machine import CORES
from poetsweb import sentry, tracing
from poetsweb.databases import read_database
from poetsweb.env import ENVIRONMENT as ENV
from poetsweb.extras import require_package
from poetsweb.folders import DATA_DIR, ML, make_private, make_socket_folder, socket_folder  # noqa: F401 - ML is a setting too
from poetsweb.hosts import is_loopback
from poetsweb.identity_providers import check_oidc, read_backends
from poetsweb.logs import hide_secrets, logging_config
from poetsweb.secret import read_or_create_secret

# --- Where things are ------------------------------------------------------------------------------
HOST = ENV.HOST
PORT = ENV.PORT
DEBUG = ENV.DEBUG
HTTPS = ENV.HTTPS
WEB_WORKERS = ENV.WEB_WORKERS or max(1, min(CORES // 2, 4))
WEB_THREADS = ENV.WEB_THREADS
EMBED_WORKERS = ENV.EMBED_WORKERS or CORES
make_private(DATA_DIR)
SECRET_KEY = ENV.SECRET_KEY or read_or_create_secret(DATA_DIR / "secret_key")

# --- The site --------------------------------------------------------------------------------------
ALLOWED_HOSTS = ENV.ALLOWED_HOSTS
CSRF_TRUSTED_ORIGINS = ENV.CSRF_TRUSTED_ORIGINS
TRUSTED_PROXIES = ENV.TRUSTED_PROXIES
CORS_ALLOWED_ORIGINS = ENV.CORS_ALLOWED_ORIGINS
# Whether strangers may come before the administrator: the first account needs a code then, and sign-up is closed.
EXPOSED = not is_loopback(HOST) or ENV.BEHIND_PROXY or bool(ENV.TRUSTED_PROXIES)
SIGNUP = ENV.POETSWEB_SIGNUP or ("closed" if EXPOSED else "open")
SIGNUP_DOMAINS = ENV.SIGNUP_DOMAINS
if SIGNUP == "domain" and not (SIGNUP_DOMAINS and ENV.MAIL_URL):
    raise ImproperlyConfigured(
        "POETSWEB_SIGNUP=domain needs SIGNUP_DOMAINS, the domains whose people may make an account, and MAIL_URL, "
        "because each of them is sent a mail."
    )
SITE_URL = (ENV.SITE_URL or f"http://{'localhost' if is_loopback(HOST) else HOST}:{PORT}").rstrip("/")
BASE_PATH = urlsplit(SITE_URL).path  # such as /poets, where a proxy has other sites beside this one
FORCE_SCRIPT_NAME = BASE_PATH or None
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{BASE_PATH}/"
ROOT_URLCONF = "poetsweb.urls"
WSGI_APPLICATION = "poetsweb.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "ninja",
    "classifier",
    "worker",
]
MIDDLEWARE = [
    "classifier.probes.answer_probes",
    "classifier.request_ids.name_requests",
    "classifier.timing.time_requests",
    "classifier.proxies.believe_proxies",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "classifier.middleware.content_security_policy",
    "classifier.browser_features.permissions_policy",
    "classifier.middleware.forbid_storing",
    "classifier.live.answer_polls",
    "classifier.middleware.ask_to_come_again",
    "classifier.api.cors.allow_origins",
    "classifier.api.addresses.explain_wrong_methods",
    "classifier.api.tus.speak_tus",
    "classifier.middleware.bound_requests",
    "classifier.middleware.name_asker",
    "classifier.middleware.count_requests",
    "classifier.acting.remember_request",
    "classifier.api.direct.classify_directly",
    "classifier.bodies.check_multipart",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "classifier.middleware.note_sessions",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "classifier.middleware.first_visit",
    "classifier.views.errors.AnswerUserErrors",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "classifier.context.site",
            ],
        },
    }
]
LANGUAGE_CODE = "en-gb"
TIME_ZONE = ENV.TIME_ZONE
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEST_RUNNER = "django.test.runner.DiscoverRunner"
# Preloading puts a domain into every browser permanently, which its owner must decide.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

# --- Accounts --------------------------------------------------------------------------------------
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "project_list"
LOGOUT_REDIRECT_URL = "sign_in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
# Shown by apps above their codes. Guesses are slowed down by `classifier.services.second_factor`, with an end: whoever
# knows the password must not be able to lock its owner out for years.
OTP_TOTP_ISSUER = f"PoetsWeb {urlsplit(SITE_URL).hostname or ''}".strip()
OTP_TOTP_THROTTLE_FACTOR = 0
SESSION_COOKIE_AGE = 30 * 24 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = HTTPS
# Asked for from this machine, without TLS.
SECURE_REDIRECT_EXEMPT = ["^" + re.escape(f"{BASE_PATH}/health".removeprefix("/"))]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV.BEHIND_PROXY else None
SECURE_HSTS_SECONDS = (3600 if HTTPS else 0) if ENV.HSTS_SECONDS is None else ENV.HSTS_SECONDS
SECURE_HSTS_INCLUDE_SUBDOMAINS = ENV.HSTS_SUBDOMAINS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "classifier.views.errors.csrf_failure"
CSRF_COOKIE_HTTPONLY = True  # scripts read the token from the page

# --- Database --------------------------------------------------------------------------------------
DATABASE_URL = ENV.DATABASE_URL or f"sqlite:///{DATA_DIR / 'db.sqlite3'}"
DATABASES = {"default": read_database(DATABASE_URL)}

# --- Broker and cache ------------------------------------------------------------------------------
EMBEDDED_VALKEY_SOCKET = socket_folder("valkey") / "valkey.sock"
make_socket_folder(EMBEDDED_VALKEY_SOCKET.parent)
REDIS_URL = ENV.REDIS_URL
# The folder is ours alone; the password is for processes of ours that may open a stranger's file.
EMBEDDED_VALKEY_PASSWORD = "" if REDIS_URL else read_or_create_secret(EMBEDDED_VALKEY_SOCKET.with_name("password"))
_embedded_url = f"unix://poetsweb:{quote(EMBEDDED_VALKEY_PASSWORD, safe='')}@{quote(str(EMBEDDED_VALKEY_SOCKET))}"
CACHE_URL = REDIS_URL or _embedded_url
CELERY_BROKER_URL = CACHE_URL.replace("unix://", "redis+socket://", 1)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "poetsweb",
        "OPTIONS": {
            "serializer": "classifier.cache.JSONSerializer",
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
        },
    }
}
# The database has every job, so the broker may lose messages: late acknowledgement and prefetch 1 leave work to
# the workers that are free, and the reaper (`classifier.jobs.recovery`) sends lost messages again.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "ingest"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# If the broker is away, fail at once: the job is in the database and is sent again later, so nobody needs to wait.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 10,
    "socket_connect_timeout": 2,
    "max_retries": 1,
    "interval_start": 0,
    "interval_max": 0.2,
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- Mails and links to the site -------------------------------------------------------------------
# Links are this and an address of the site, which begins with BASE_PATH.
SITE_ORIGIN = "{0.scheme}://{0.netloc}".format(urlsplit(SITE_URL))
MAIL_IS_SET_UP = bool(ENV.MAIL_URL)
if MAIL_IS_SET_UP:
    vars().update(environ.Env.email_url_config(ENV.MAIL_URL))
DEFAULT_FROM_EMAIL = ENV.MAIL_FROM or "poetsweb@localhost"
EMAIL_TIMEOUT = 10

# --- Signing in with accounts from elsewhere -------------------------------------------------------
OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET = ENV.OIDC_ISSUER, ENV.OIDC_CLIENT_ID, ENV.OIDC_CLIENT_SECRET
OIDC_NAME, OIDC_ACCOUNTS = ENV.OIDC_NAME, ENV.OIDC_ACCOUNTS
check_oidc(ENV)
LDAP_URL = ENV.LDAP_URL
vars().update(read_backends(ENV))

# --- Files -----------------------------------------------------------------------------------------
S3_BUCKET, S3_ENDPOINT_URL = ENV.S3_BUCKET, ENV.S3_ENDPOINT_URL or None
if S3_BUCKET or any(source.startswith("s3://") for source in ENV.IMPORT_FROM):
    require_package("A bucket is configured", "boto3", extra="s3")
# Folders and buckets outside, from which everybody who may sign in may bring pictures in.
IMPORT_FROM = ENV.IMPORT_FROM
MEDIA_ROOT = DATA_DIR / "files"
STATIC_URL = f"{BASE_PATH}/static/"
STATIC_ROOT = DATA_DIR / "static"
# On the data folder's disk, which should be large enough; /tmp may be small.
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "tmp"
FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True)  # in the data folder, which is private
S3_STORAGE = {
    "BACKEND": "classifier.bucket.BucketStorage",
    "OPTIONS": {
        "bucket_name": S3_BUCKET,
        "endpoint_url": S3_ENDPOINT_URL,
        "file_overwrite": True,
        "querystring_auth": True,
    },
}
STORAGES = {
    "default": S3_STORAGE if S3_BUCKET else {"BACKEND": "classifier.storage.AtomicFileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# A browser sends one picture per request, a script may send many, and an archive is streamed to a file.
DATA_UPLOAD_MAX_NUMBER_FILES = 2000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 2**20

# --- Limits ----------------------------------------------------------------------------------------
IMAGE_LIMITS = ImageLimits(
    max_bytes=ENV.MAX_IMAGE_MB * 2**20,
    max_pixels=ENV.MAX_IMAGE_MEGAPIXELS * 10**6,
)
ARCHIVE_LIMITS = ArchiveLimits(
    max_entries=ENV.MAX_ARCHIVE_ENTRIES,
    max_total_bytes=ENV.MAX_ARCHIVE_GB * 2**30,
    max_file_bytes=IMAGE_LIMITS.max_bytes,
)
MAX_CLASSIFY_FILES = ENV.MAX_CLASSIFY_FILES
TRASH_DAYS = ENV.TRASH_DAYS
AUDIT_DAYS = ENV.AUDIT_DAYS
EMBEDDINGS_IN_DATABASE = ENV.EMBEDDINGS_IN_DATABASE
# Of the owner of a project; 0 is without limit. The page of a user may say otherwise.
QUOTA_USER_PICTURES, QUOTA_USER_GB = ENV.QUOTA_USER_PICTURES, ENV.QUOTA_USER_GB
QUOTA_USER_JOBS, QUOTA_USER_REQUESTS = ENV.QUOTA_USER_JOBS, ENV.QUOTA_USER_REQUESTS
QUOTA_PROJECT_PICTURES, QUOTA_PROJECT_GB = ENV.QUOTA_PROJECT_PICTURES, ENV.QUOTA_PROJECT_GB

# --- Watching --------------------------------------------------------------------------------------
METRICS_TOKEN = ENV.METRICS_TOKEN
TRACING = bool(ENV.OTEL_EXPORTER_OTLP_ENDPOINT)

# --- TensorBoard, where it is installed ------------------------------------------------------------
TENSORBOARD_DIR = socket_folder("boards")

# --- Computing -------------------------------------------------------------------------------------
BACKBONE = ENV.POETSWEB_BACKBONE
EMBED_EARLY = ENV.EMBED_EARLY
PREDICT_THREADS = ENV.PREDICT_THREADS or min(CORES, 4)
FLOWERS_URL = ENV.FLOWERS_URL

if ENV.SENTRY_DSN:
    require_package("SENTRY_DSN is set", "sentry_sdk", extra="sentry")
if TRACING:
    require_package("OTEL_EXPORTER_OTLP_ENDPOINT is set", "opentelemetry", extra="otel")
LOGGING = logging_config(
    json=ENV.LOG_JSON,
    tell=[
        *([sentry.start(ENV.SENTRY_DSN, hide_secrets)] if ENV.SENTRY_DSN else []),
        *([tracing.start(ENV.OTEL_EXPORTER_OTLP_ENDPOINT, ENV.OTEL_EXPORTER_OTLP_HEADERS)] if TRACING else []),
    ],
)
