"""A database in the field comes along, forwards and backwards, with all its files."""

from collections.abc import Callable, Iterator

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from classifier.models import Image, Project
from classifier.services.images import read_file, read_picture
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def migrate(transactional_db: None) -> Iterator[Callable[[str], None]]:
    """Give a function that migrates the database to a state; at the end it is brought to the newest one."""

    def to(*targets: tuple[str, str]) -> None:
        MigrationExecutor(connection).migrate(list(targets))

    yield lambda name: to(("classifier", name))
    to(*MigrationExecutor(connection).loader.graph.leaf_nodes())


def in_many_folders(image: Image) -> str:
    return f"images/{image.sha256[:2]}/{image.sha256[2:4]}/{image.sha256}"


def test_pictures_move_to_fewer_folders_and_back(project: Project, migrate: Callable[[str], None]) -> None:
    files = coloured_pictures(2)
    add_pictures(project, files)
    images = list(Image.objects.all())
    migrate("0001_first")
    for image in images:
        assert default_storage.exists(in_many_folders(image))
        assert not default_storage.exists(image.path)

    default_storage.delete(in_many_folders(images[0]))  # lost before: no reason to stop
    migrate("0002_fewer_picture_folders")
    assert {read_picture(image) for image in images[1:]} <= set(files.values())
    assert not default_storage.exists(images[0].path)


def test_moving_that_was_broken_off_goes_on(project: Project, migrate: Callable[[str], None]) -> None:
    add_pictures(project, coloured_pictures(2))
    images = list(Image.objects.all())
    migrate("0001_first")
    moved = images[0]
    default_storage.save(moved.path, ContentFile(read_file(in_many_folders(moved))))
    default_storage.delete(in_many_folders(moved))
    migrate("0002_fewer_picture_folders")
    assert all(read_picture(image) for image in images)
