"""The environment of the tests. Settings are read when Django is, so this is loaded before it (`-p` in pyproject)."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from tests.services import process_services

# A data folder of its own, the tiny backbone, nobody's .env, and no services but those that are for tests.
DATA = Path(tempfile.mkdtemp(prefix="poetsweb-tests-"))
atexit.register(shutil.rmtree, DATA, ignore_errors=True)
(DATA / "static").mkdir()
os.environ.update(
    POETSWEB_DATA=str(DATA),
    POETSWEB_BACKBONE="testing",
    DEBUG="false",
    PORT="8000",
    HOST="127.0.0.1",
    EMBED_EARLY="false",
)
for name in (
    "S3_ENDPOINT_URL",
    "HTTPS",
    "SECRET_KEY",
    "POETSWEB_SIGNUP",
    "MAIL_URL",
    "OIDC_ISSUER",
    "LDAP_URL",
    "TRASH_DAYS",
    "ALLOWED_HOSTS",
    "BEHIND_PROXY",
    "TRUSTED_PROXIES",
):
    os.environ[name] = ""  # set and empty: a .env file does not fill it
os.environ.update(process_services())
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
