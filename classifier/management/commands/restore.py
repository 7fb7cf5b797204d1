from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.services.backups.manifest import BackupRefused
from classifier.services.backups.restoring import restore_backup
from classifier.services.backups.settings_file import SETTINGS
from poetsweb.instance import AlreadyRunning, only_copy


class Command(BaseCommand):
    help = "Restore a backup, made with SQLite or PostgreSQL, into this site. Stop its processes first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path, help="the folder that “backup” has made")
        parser.add_argument(
            "--replace", action="store_true", help="delete all that the database of this site holds, and then restore"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source = options["source"].expanduser().resolve()
        try:
            with only_copy(settings.DATA_DIR):  # a site on this machine that runs, or is started meanwhile, would write
                call_command("migrate", interactive=False, verbosity=0)
                done = restore_backup(source, replace=options["replace"], tell=self.stdout.write)
        except (AlreadyRunning, BackupRefused) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Restored {done.rows:,} rows; {done.files:,} files were brought back.")
        if done.were_listed:
            self.stdout.write("The files were not in the backup: they have to be in the storage of this site.")
        self.stdout.write(f"The settings of the site are in {source / SETTINGS}. Checking the files …")
        call_command("check_files", stdout=self.stdout, stderr=self.stderr)
