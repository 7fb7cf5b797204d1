"""Bring in a project that another site has written into a file: its files first, then all rows in one transaction.

Whatever interrupts it leaves no row, and it can be begun again: files that are there are not written twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DataError, IntegrityError, transaction

from classifier.disk import check_room
from classifier.models import Image, Project
from classifier.prepared import any_of
from classifier.schema import compare_migrations
from classifier.services.audit_log import record
from classifier.services.images import set_aside
from classifier.services.project_files.loading import Loader
from classifier.services.project_files.manifest import ProjectFileRefused
from classifier.services.project_files.opening import ProjectFile, open_project_file, sizes_of
from classifier.services.project_files.storing import (
    Tell,
    restore_deleted,
    store_event_files,
    store_networks,
    store_pictures,
)
from classifier.services.quotas import check_quota_for
from classifier.storage import sync_files

log = structlog.get_logger(__name__)


@dataclass
class Imported:
    """The new project, and how many of its pictures came and were there already."""

    project: Project
    pictures: int
    were_there: int
    unreadable: int  # for this site, which asks for them on the page of the project


def import_project(
    path: Path, *, owner: User, name: str = "", trust_networks: bool = False, tell: Tell = lambda text: None
) -> Imported:
    """Bring in a project's file as a new project of this user. Raise UserError, before a row is written.

    Args:
        name: of the project; empty for the one that it had.
        trust_networks: whether its fine-tuned networks may run in the site's own processes, as those made here do.
    """
    if any(compare_migrations()):
        raise ProjectFileRefused("The database is of another version of the program. Run “manage.py prepare” first.")
    with open_project_file(path) as file:
        _check_limits(file, owner)
        file.check()
        pictures = store_pictures(file, tell)
        store_networks(file)
        store_event_files(file)
        with _refusing_misfits(), transaction.atomic():
            User.objects.select_for_update(no_key=True).get(pk=owner.pk)  # whose quota others may use up meanwhile
            _check_limits(file, owner)
            loader = Loader(file, owner, name=name, trust_networks=trust_networks)
            project = loader.load()
            _set_aside(project, pictures.unreadable)
            record("project.imported", project, slug=project.slug, owner=owner.username)
            sync_files(loader.paths)
        restore_deleted(file, pictures.there)
        log.info("project_imported", project=project.pk, pictures=file.manifest.pictures)
        return Imported(project, file.manifest.pictures, len(pictures.there), len(pictures.unreadable))


def _set_aside(project: Project, sha256s: set[str]) -> None:
    """Leave pictures that this site cannot read out of trainings: it may have tighter limits than the other one."""
    for image in Image.objects.filter(samples__project=project, sha256__in=any_of(sorted(sha256s))):
        set_aside(image)


def _check_limits(file: ProjectFile, owner: User) -> None:
    manifest = file.manifest
    check_quota_for(owner, pictures=manifest.pictures, size=manifest.picture_bytes)
    files = 0 if settings.S3_BUCKET else manifest.picture_bytes + sizes_of(manifest.files)
    check_room(files + 2 * sizes_of(manifest.tables))  # with the journal


@contextmanager
def _refusing_misfits() -> Iterator[None]:
    """Tell in a sentence what the database refuses, of which nothing stays."""
    try:
        yield
    except (IntegrityError, DataError, UnicodeError) as error:
        log.warning("project_file_misfit", error=str(error))
        raise ProjectFileRefused("The file has rows that do not fit together; nothing of it was brought in.") from None
