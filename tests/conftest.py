"""What all tests share."""

import uuid
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.site_fixtures"]

# What touches database, broker or storage. CI runs it on what is deployed, too.
SERVICES = (
    "tests/unit/classifier/",
    "tests/integration/test_import_dataset.py",
    "tests/integration/test_recovery.py",
    "tests/integration/test_whole_path.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run quick tests first, so that a slip shows in seconds."""
    order = {"unit": 0, "integration": 1, "browser": 2, "verification": 3}
    items.sort(key=lambda item: next((rank for name, rank in order.items() if f"tests/{name}/" in str(item.path)), 0))
    for item in items:
        if item.nodeid.startswith(SERVICES):
            item.add_marker("services")
        dear = "strange_networks" in getattr(item, "fixturenames", ())
        if dear or any(item.get_closest_marker(name) for name in ("site", "browser", "verification")):
            item.add_marker("slow")


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Any) -> None:
    """Let pages be rendered without collecting static files first."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """Hash passwords quickly: slow hashing is right for a site and wrong for a thousand tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _own_files(settings: Any, tmp_path: Path) -> None:
    """Give each test its own pictures and artifacts."""
    settings.MEDIA_ROOT = tmp_path / "files"
    if settings.S3_BUCKET:
        options = {**settings.S3_STORAGE["OPTIONS"], "location": uuid.uuid4().hex}
        settings.STORAGES = {**settings.STORAGES, "default": {**settings.S3_STORAGE, "OPTIONS": options}}


@pytest.fixture
def folder_storage(settings: Any, _own_files: None) -> None:
    """Use the storage of a single machine, for tests of what only that one does."""
    folder = {"BACKEND": "classifier.storage.AtomicFileSystemStorage"}
    settings.STORAGES = {**settings.STORAGES, "default": folder}
