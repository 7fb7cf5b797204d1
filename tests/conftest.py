"""What all tests share."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.files.storage import default_storage
from django.test import override_settings

from tests.late import is_late, skip_if_time_is_up
from tests.order import sort_items

pytest_plugins = ["tests.site_fixtures"]

# What touches database, broker or storage. CI runs it on what is deployed, too.
SERVICES = (
    "tests/unit/classifier/",
    "tests/integration/test_import_dataset.py",
    "tests/integration/test_parts_at_once.py",
    "tests/integration/test_recovery.py",
    "tests/integration/test_whole_path.py",
)
# What takes minutes there and finds the same as elsewhere: 600 pictures a test, each asked of the S3 server some times
# (the one that needs its checkpoint from there is marked for itself), each address asked by everybody, and a hundred
# files that are refused.
DEAR_ON_SERVICES = tuple(
    f"tests/unit/classifier/{name}.py"
    for name in (
        "test_tuning_jobs",
        "test_permissions",
        "test_openapi_fuzzing",
        "test_openapi",
        "test_api_errors",
        "test_hostile_project_files",
    )
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what touches services and what is slow, and put the files in order."""
    for item in items:
        if item.nodeid.startswith(SERVICES) and not item.nodeid.startswith(DEAR_ON_SERVICES):
            item.add_marker("services")
        dear = "strange_networks" in getattr(item, "fixturenames", ())
        if dear or any(item.get_closest_marker(name) for name in ("site", "browser", "verification")):
            item.add_marker("slow")
        if is_late(item):
            item.add_marker("late")
    sort_items(items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what would begin too late, before its fixtures take time."""
    if item.get_closest_marker("slow") or item.get_closest_marker("late"):
        skip_if_time_is_up(item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def _quick_site() -> Iterator[None]:
    """Render pages without collecting static files first, and hash passwords quickly.

    Hashing slowly on purpose is right for a site and wrong for a thousand tests.
    """
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(STORAGES={**site.STORAGES, "staticfiles": static}, PASSWORD_HASHERS=hashers):
        yield


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path) -> Iterator[None]:
    """Give each test its own pictures and artifacts."""
    with override_settings(MEDIA_ROOT=tmp_path / "files"):
        if site.S3_BUCKET:
            default_storage.location = uuid.uuid4().hex  # a new storage would take a connection of its own
        yield


@pytest.fixture
def folder_storage(settings: Any, _own_files: None) -> None:
    """Use the storage of a single machine, for tests of what only that one does."""
    folder = {"BACKEND": "classifier.storage.AtomicFileSystemStorage"}
    settings.STORAGES = {**settings.STORAGES, "default": folder}
