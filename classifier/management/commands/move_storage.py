import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.services.moving import CannotMove, move_files, open_storages


class Command(BaseCommand):
    help = (
        "Copy the files of the site from its folder to the bucket S3_BUCKET, or back, and compare them. "
        "It deletes nothing, and can be interrupted and repeated. See docs/operations.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("to", choices=["bucket", "folder"], help="where the files go")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            source, target = open_storages(options["to"])
        except CannotMove as error:
            raise CommandError(str(error)) from None
        moved = move_files(source, target, tell=lambda count: self.stdout.write(f"{count:,} files …"))
        for title, names in (("missing where they were", moved.missing), ("damaged on the way", moved.damaged)):
            for name in names:
                self.stderr.write(f"{title}: {name}")
        self.stdout.write(
            f"{moved.copied:,} files copied, {moved.there:,} were there, {len(moved.missing):,} missing, "
            f"{len(moved.damaged):,} damaged."
        )
        if moved.missing or moved.damaged:
            sys.exit(1)
