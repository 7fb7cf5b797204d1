"""Make a backup while the site runs: the database at one moment first, then the files that it names.

Files have their names from their content and never change, and are written before the rows that name them: so every row
of the snapshot finds its files, but for those that somebody has deleted since. Pictures among these are deleted from
the restored site, too.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from django.apps import apps
from django.conf import settings

from classifier.models import Image
from classifier.models.image import image_path
from classifier.prepared import any_of
from classifier.schema import compare_migrations, list_applied
from classifier.services.backups import files, rows
from classifier.services.backups.manifest import NAME, BackupRefused, Manifest, write_manifest
from classifier.services.backups.settings_file import SETTINGS, describe_settings
from classifier.services.file_checks import list_named_files
from classifier.services.portable.checks import hash_file
from classifier.services.portable.snapshot import take_snapshot
from ml.files import write_atomically

DATABASE = "database"
MARK = "interrupted"  # a file that is there until the backup is whole


@dataclass
class Made:
    """What a backup holds, and which files were deleted while it was made."""

    rows: int = 0
    files: int = 0
    size: int = 0
    gone: list[str] = field(default_factory=list)


def make_backup(
    folder: Path, *, with_files: bool, with_secrets: bool, tell: Callable[[str], None] = lambda text: None
) -> Made:
    """Make a backup in a folder that is empty, or that holds one which was interrupted. Raise BackupRefused."""
    _prepare(folder)
    copied = with_files or not settings.S3_BUCKET
    made, sha256 = Made(), {}
    with take_snapshot(folder) as alias:
        migrations, counts = sorted(list_applied(using=alias)), {}
        for model in rows.list_tables(apps):
            name = f"{DATABASE}/{model._meta.label_lower}.jsonl"
            counts[model._meta.label_lower] = rows.dump_rows(model, folder / name, using=alias)
            sha256[name] = hash_file(folder / name)
        made.rows = sum(counts.values())
        tell(f"{made.rows:,} rows")
        _keep_files(folder, list_named_files(using=alias), made, copied=copied, tell=tell)
    write_atomically(folder / SETTINGS, describe_settings(with_secrets=with_secrets).encode(), mode=0o600)
    sha256 |= {name: hash_file(folder / name) for name in (files.LIST, SETTINGS)}
    write_manifest(
        folder,
        Manifest(
            made_at=datetime.now(UTC),
            migrations=migrations,
            rows=counts,
            files=made.files,
            files_are_here=copied,
            deleted=_list_deleted(made.gone),
            sha256=sha256,
        ),
    )
    (folder / MARK).unlink()
    return made


def _list_deleted(gone: list[str]) -> list[str]:
    """List the pictures among these files that were deleted for good: a row that is there misses its file."""
    found = {path.rpartition("/")[2] for path in gone}
    pictures = sorted(sha256 for sha256 in found if image_path(sha256) in gone)
    kept = set(Image.objects.filter(sha256__in=any_of(pictures)).values_list("sha256", flat=True))
    return [sha256 for sha256 in pictures if sha256 not in kept]


def _prepare(folder: Path) -> None:
    if any(compare_migrations()):
        raise BackupRefused("The database is of another version of the program. Run “manage.py prepare” first.")
    data = Path(settings.DATA_DIR).resolve()
    if data in (folder, *folder.parents):
        raise BackupRefused(
            f"{folder} is in the data folder, and would be lost with it. Choose one elsewhere, best on another disk."
        )
    if (folder / NAME).exists():
        raise BackupRefused(f"{folder} holds a backup already. Choose another folder, such as one with today's date.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / MARK).exists():
            raise BackupRefused(f"{folder} is not empty, and holds no backup that was interrupted. Choose another.")
        (folder / MARK).touch(mode=0o600)
        (folder / DATABASE).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BackupRefused(f"{folder} cannot be written to: {os.strerror(error.errno or 0)}.") from None


def _keep_files(folder: Path, names: Iterator[str], made: Made, *, copied: bool, tell: Callable[[str], None]) -> None:
    with (folder / files.LIST).open("w", encoding="utf-8") as file:
        for name in sorted(set(names)):
            try:
                entry = files.copy_file(name, folder) if copied else files.list_file(name)
            except FileNotFoundError:
                made.gone.append(name)
                continue
            file.write(entry.model_dump_json(exclude_defaults=True) + "\n")
            made.files, made.size = made.files + 1, made.size + entry.size
            if made.files % 1000 == 0:
                tell(f"{made.files:,} files")
