"""What all tests share. Settings are read at import, so the environment is set before Django is."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

pytest_plugins = ["tests.site_fixtures"]

# A data folder of its own, the tiny backbone, and nobody's .env or services.
DATA = Path(tempfile.mkdtemp(prefix="poetsweb-tests-"))
os.environ.update(POETSWEB_DATA=str(DATA), POETSWEB_BACKBONE="testing", DEBUG="false", PORT="8000", HOST="127.0.0.1")
for name in ("DATABASE_URL", "REDIS_URL", "S3_BUCKET", "HTTPS", "SECRET_KEY", "POETSWEB_SIGNUP", "ALLOWED_HOSTS"):
    os.environ.setdefault(name, "")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def pytest_unconfigure() -> None:
    shutil.rmtree(DATA, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first, so that a slip shows in seconds."""
    order = {"unit": 0, "integration": 1, "browser": 2, "verification": 3}
    items.sort(key=lambda item: next((rank for name, rank in order.items() if f"tests/{name}/" in str(item.path)), 0))


@pytest.fixture(autouse=True)
def _plain_static_files(settings: object) -> None:
    """Pages can be rendered without collecting static files first."""
    settings.STORAGES = {  # type: ignore[attr-defined]
        **settings.STORAGES,  # type: ignore[attr-defined]
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(autouse=True)
def _own_files(settings: object, tmp_path: Path) -> None:
    """Pictures and artifacts of one test are not those of the next."""
    settings.MEDIA_ROOT = tmp_path / "files"  # type: ignore[attr-defined]
