from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.services.project_files.importing import import_project
from ml.errors import UserError


class Command(BaseCommand):
    help = (
        "Bring in a project that “export_project” of another site has written, while this site runs. "
        "Only files of sites that you trust: they hold networks, and numbers that other projects use too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file that “export_project” has written")
        parser.add_argument("--owner", metavar="USERNAME", required=True, help="whose project it becomes")
        parser.add_argument("--name", default="", help="of the project, instead of the one that it had")
        parser.add_argument(
            "--trust-networks",
            action="store_true",
            help="let its fine-tuned networks run in the site's own processes instead of confined",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        owner = User.objects.filter(username=options["owner"], is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no active user {options['owner']!r}.")
        try:
            done = import_project(
                options["file"].expanduser(),
                owner=owner,
                name=options["name"],
                trust_networks=options["trust_networks"],
                tell=self.stdout.write,
            )
        except UserError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"The file cannot be brought in: {error.strerror or error}.") from None
        if done.unreadable:
            self.stdout.write(
                f"This site cannot read {done.unreadable:,} of the pictures, and asks for them on its page. They may be"
                " beyond its limits (MAX_IMAGE_MB, MAX_IMAGE_MEGAPIXELS)."
            )
        self.stdout.write(
            f"Brought in {done.project.name} with {done.pictures:,} pictures, of which {done.were_there:,} were here: "
            f"{done.project.get_absolute_url()}"
        )
