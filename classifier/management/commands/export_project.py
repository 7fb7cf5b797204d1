from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.models import Project
from classifier.services.project_files.making import export_project
from ml.errors import UserError

STAYS = (
    "Not in it: members, share links, keys, webhooks, the audit log, what is in the trash, pictures that wait to be "
    "accepted, exports and checks of pictures."
)

EVERY = 1000  # pictures between two lines of progress


class Command(BaseCommand):
    help = "Write a whole project into a file while the site runs, for “import_project” on another site."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="of the project, as in the address of its page")
        parser.add_argument("file", type=Path, help="a file that does not exist yet, such as fruit.zip")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["slug"], deleted_at=None).first()
        if project is None:
            raise CommandError(f"There is no project {options['slug']!r}.")
        path = options["file"].expanduser().resolve()
        if path.exists():
            raise CommandError(f"{path} is there already. Choose another name.")
        try:
            made = export_project(project, path, tell=self._tell)
        except UserError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror or error}.") from None
        for sha256 in made.left_out:
            self.stderr.write(f"Missing or damaged, and left out: picture {sha256}")
        self.stdout.write(
            f"Wrote {path}: {made.pictures:,} pictures, {made.rows:,} rows, {made.size / 1e6:,.1f} MB. {STAYS} "
            "It holds pictures and names of users: keep it where nobody else can read it."
        )

    def _tell(self, pictures: int) -> None:
        if pictures % EVERY == 0:
            self.stdout.write(f"{pictures:,} pictures")
