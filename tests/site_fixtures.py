"""One running application for all tests that need one: `manage.py serve`, with the tiny backbone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site import Client, Site
from worker.backbones import get_backbone
from worker.backbones.convert import ensure_tflite


@pytest.fixture(scope="session")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny backbone, converted."""
    folder = tmp_path_factory.mktemp("backbones")
    ensure_tflite(get_backbone("testing"), folder)
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, backbones: Path) -> Iterator[Site]:
    running = Site(tmp_path_factory.mktemp("site") / "data", backbones=backbones).start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def owner(site: Site) -> Client:
    return site.client("owner")


@pytest.fixture(scope="session")
def stranger(site: Site) -> Client:
    return site.client("stranger")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder for a site of a test's own."""
    return tmp_path / "data"
