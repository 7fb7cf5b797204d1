import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.services import repairs
from classifier.services.file_checks import Problem, check_rows, count_rows, is_storage_there, list_orphans

MANY = 100  # rows between two lines of progress


class Command(BaseCommand):
    help = (
        "Check that every file a row names is there and whole, and list files that no row names. "
        "The exit status is 0 only if nothing is missing or damaged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--repair",
            action="store_true",
            help="make again what can be made again, set damaged pictures aside, delete orphans older than a day",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["repair"] and not is_storage_there():
            raise CommandError(
                "None of the pictures that were looked for first is there. The folder of the files seems not to be "
                "mounted, or the bucket to be another one. Nothing was changed."
            )
        losses = self._check_rows(repair=options["repair"])
        orphans = 0
        for orphan in list_orphans():
            orphans += 1
            self._tell(orphan, repair=options["repair"])
        self.stdout.write(f"{losses} missing or damaged, {orphans} orphans.")
        if losses:
            sys.exit(1)

    def _check_rows(self, *, repair: bool) -> int:
        total, losses = count_rows(), 0
        for done, problem in enumerate(check_rows(), start=1):
            if self.stdout.isatty() and (done % MANY == 0 or done == total):
                self.stdout.write(f"\r{done:,} of {total:,}", ending="" if done < total else "\n")
                self.stdout.flush()
            if problem is not None:
                losses += problem.is_loss
                self._tell(problem, repair=repair)
        return losses

    def _tell(self, problem: Problem, *, repair: bool) -> None:
        self.stdout.write(f"{problem.kind}: {problem.path} ({problem.about})")
        if repair:
            self.stdout.write(f"  {repairs.repair(problem)}")
