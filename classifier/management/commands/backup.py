from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.services.backups.making import make_backup
from classifier.services.backups.manifest import BackupRefused


class Command(BaseCommand):
    help = "Back up the site while it runs: database, files and settings, in one folder. See docs/operations.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", type=Path, help="a folder that is empty, or that does not exist yet")
        parser.add_argument(
            "--with-files", action="store_true", help="copy the files of a bucket too; without it they are only listed"
        )
        parser.add_argument(
            "--with-secrets", action="store_true", help="keep SECRET_KEY, passwords and the keys of the bucket too"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        target = options["target"].expanduser().resolve()
        try:
            made = make_backup(
                target,
                with_files=options["with_files"],
                with_secrets=options["with_secrets"],
                tell=self.stdout.write,
            )
        except BackupRefused as error:
            raise CommandError(str(error)) from None
        for name in made.gone:
            self.stderr.write(f"Deleted while the backup was made, or missing before: {name}")
        self.stdout.write(
            f"Backed up to {target}: {made.rows:,} rows, {made.files:,} files of {made.size / 1e6:,.1f} MB. "
            "It holds pictures and hashed passwords: keep it where nobody else can read it."
        )
