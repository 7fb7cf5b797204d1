"""Restore a backup into a site: its files first, then all rows in one transaction, so that none is seen without.

Whatever interrupts it, it can be begun again: files that are there are not copied twice, and rows are there or not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps as today
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError

from classifier.models import Image, Project
from classifier.schema import known_migrations
from classifier.services.backups import files, rows
from classifier.services.backups.making import DATABASE
from classifier.services.backups.manifest import BackupRefused, Manifest, check_parts, read_manifest
from classifier.services.samples import purge_pictures
from classifier.workers import describe_workers


@dataclass
class Restored:
    rows: int = 0
    files: int = 0  # that were copied; others were there
    were_listed: bool = False  # the files were not in the backup


def restore_backup(folder: Path, *, replace: bool, tell: Callable[[str], None] = lambda text: None) -> Restored:
    """Restore a backup. Raise BackupRefused, before anything has been changed unless a file is damaged."""
    manifest = read_manifest(folder)
    _refuse_filled(replace=replace)
    check_parts(folder, manifest)
    done = Restored(were_listed=not manifest.files_are_here)
    if manifest.files_are_here:
        for number, entry in enumerate(files.read_list(folder), start=1):
            done.files += files.bring_back(entry, folder)
            if number % 1000 == 0:
                tell(f"{number:,} of {manifest.files:,} files")
    done.rows = _restore_rows(folder, manifest)
    purge_pictures(manifest.deleted)
    ContentType.objects.clear_cache()
    try:
        cache.clear()
    except RedisError:
        if settings.REDIS_URL:  # the embedded one keeps nothing
            tell("The cache does not answer. Empty it before you start the site: redis-cli flushall.")
    return done


def _refuse_filled(*, replace: bool) -> None:
    if describe_workers():
        raise BackupRefused("Workers of this site are running. Stop all of its processes, and restore then.")
    if not replace and (User.objects.exists() or Project.objects.exists() or Image.objects.exists()):
        raise BackupRefused("This site is not empty. Restore into a new one, or add --replace: its rows are lost then.")


def _restore_rows(folder: Path, manifest: Manifest) -> int:
    """Load the rows into the tables as they were then, and bring them up to date as an upgrade does."""
    apps: Any = today
    executor = MigrationExecutor(connection)
    is_older = bool(known_migrations() - set(manifest.migrations))
    if is_older:
        targets = _leaves(executor, set(manifest.migrations))
        with transaction.atomic():
            rows.delete_rows(today)
        executor.migrate(targets)
        apps = executor.loader.project_state(targets).apps
    with transaction.atomic():
        rows.delete_rows(apps)
        count = sum(
            rows.load_rows(model, path)
            for model in rows.list_tables(apps)
            if (path := folder / DATABASE / f"{model._meta.label_lower}.jsonl").is_file()
        )
        if count != sum(manifest.rows.values()):
            raise BackupRefused("The backup has other rows than its manifest says. Nothing was restored.")
        rows.continue_numbers(apps)
    if is_older:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
    return count


def _leaves(executor: MigrationExecutor, names: set[str]) -> list[Any]:
    """Return the last of these migrations of each app, and the beginning of an app that has none."""
    graph = executor.loader.graph
    then = {key for key in graph.nodes if ".".join(key) in names}
    last = [key for key in then if not any(_follows(child.key, key, then) for child in graph.node_map[key].children)]
    without = {app for app, _ in graph.nodes} - {app for app, _ in then}
    return sorted(last) + [(app, None) for app in sorted(without)]


def _follows(child: tuple[str, str], key: tuple[str, str], then: set[tuple[str, str]]) -> bool:
    return child in then and child[0] == key[0]
