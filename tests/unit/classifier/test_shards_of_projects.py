"""A project and a whole site take along the embeddings whose vectors are in files."""

from pathlib import Path
from typing import Any

import pytest

from classifier.models import Embedding, EmbeddingShard, Project
from classifier.services import shards
from classifier.services.file_checks import list_named_files
from tests.unit.classifier.project_contents import read_rows
from tests.unit.classifier.test_backups import empty_site, everything
from tests.unit.classifier.test_project_files import _allowed, moving, other_site, path, run, train

__all__ = ["_allowed", "moving", "path"]  # fixtures

# What a snapshot sees has been committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _in_files(moving: Project, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(shards, "PICTURES", 4)
    settings.EMBEDDINGS_IN_DATABASE = 0
    shards.tend_shards()
    assert Embedding.objects.exclude(shard=None).count() >= 4


def by_picture(path: Path) -> dict[tuple[Any, str], str]:
    return {(row["image_id"], row["key"]): row["vector"] for row in read_rows(path)["embeddings"]}


@pytest.mark.usefixtures("moving")
def test_project_takes_its_embeddings_along(
    moving: Project, path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any, request: pytest.FixtureRequest
) -> None:
    before = path.with_name("before.zip")
    run("export_project", moving.slug, before)
    request.getfixturevalue("_in_files")
    run("export_project", moving.slug, path)
    assert by_picture(path) == by_picture(before)
    other_site()
    run("import_project", path, "--owner", "owner")
    project, embeddings = Project.objects.get(slug="colours"), Embedding.objects.count()
    assert train(project, seed=3).result["unchanged"]
    assert Embedding.objects.count() == embeddings
    assert not EmbeddingShard.objects.exists()


@pytest.mark.usefixtures("_in_files")
def test_backup_has_the_files(moving: Project, tmp_path: Path) -> None:
    assert {shard.path for shard in EmbeddingShard.objects.all()} <= set(list_named_files())
    before = everything()
    run("backup", tmp_path / "backup", "--with-files")
    empty_site()
    assert "0 missing or damaged" in run("restore", tmp_path / "backup")
    assert everything() == before
    assert train(Project.objects.get(slug=moving.slug), seed=3).result["unchanged"]
