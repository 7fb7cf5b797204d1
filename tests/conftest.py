"""What all tests share."""

from pathlib import Path

import pytest

pytest_plugins = ["tests.site_fixtures"]


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
def _quick_passwords(settings: object) -> None:
    """Hashing slowly on purpose is right for a site and wrong for a thousand tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _own_files(settings: object, tmp_path: Path) -> None:
    """Pictures and artifacts of one test are not those of the next."""
    settings.MEDIA_ROOT = tmp_path / "files"  # type: ignore[attr-defined]
