"""Provide a process in which TensorFlow is loaded once for many files."""

from collections.abc import Iterator

import pytest

from ml.model_import import opening
from tests.warm_opener import WarmOpener


@pytest.fixture(scope="session")
def warm_opener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmOpener]:
    opener = WarmOpener(tmp_path_factory.mktemp("warm"))
    yield opener
    opener.close()


@pytest.fixture
def warm(warm_opener: WarmOpener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open files there, where the test is about what they show, not about how they are confined."""
    monkeypatch.setattr(opening, "_run", warm_opener.run)
