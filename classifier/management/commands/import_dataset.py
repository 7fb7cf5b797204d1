from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug

from classifier.models import Project, UploadItem
from classifier.selectors import upload_counts
from classifier.services.projects import RESERVED_SLUGS, InvalidName, create_project
from classifier.services.uploads import add_entries, start_upload
from ml.datasets.archives import ArchiveRejected, ArchiveWalk, walk_archive, walk_folder


class Command(BaseCommand):
    help = "Import pictures from a folder or archive whose sub-folders are the classes. The site need not be running."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="DIR_OR_ARCHIVE")
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--create", metavar="NAME", help="create the project with this name if it does not exist")
        parser.add_argument("--owner", metavar="USERNAME", help="the owner of the project that --create creates")

    def handle(self, *args: Any, **options: Any) -> None:
        walk = self._walk(options["path"])
        project = self._project(options)
        upload = start_upload(project, f"{options['path'].name} from the command line", by=project.owner)
        done = 0
        for outcomes in add_entries(upload, walk):
            done += len(outcomes)
            for outcome in outcomes:
                if outcome.status == UploadItem.Status.REJECTED:
                    self.stderr.write(f"rejected: {outcome.file_name}: {outcome.reason}")
            if options["verbosity"] and self.stdout.isatty():
                self.stdout.write(f"\r{done} of {walk.total}", ending="")
                self.stdout.flush()
        counts = upload_counts(upload)
        shown = [(counts.get(status.value, 0), status.label) for status in UploadItem.Status]
        self.stdout.write(
            ("\r" if done and self.stdout.isatty() else "") + ", ".join(f"{count} {label}" for count, label in shown)
        )

    def _project(self, options: dict[str, Any]) -> Project:
        project = Project.objects.filter(slug=options["project"]).select_related("owner").first()
        if project is not None:
            return project
        if not options["create"]:
            raise CommandError(f"There is no project {options['project']!r}. Add --create NAME to create it.")
        owners = get_user_model().objects.order_by("pk")
        owner = owners.filter(username=options["owner"]).first() if options["owner"] else owners.first()
        if owner is None:
            raise CommandError("There is no such user. Open the site once to create the administrator.")
        self._check_slug(options["project"])
        try:
            return create_project(options["create"], by=owner, slug=options["project"])
        except InvalidName as error:
            raise CommandError(str(error)) from None

    def _check_slug(self, slug: str) -> None:
        try:
            validate_slug(slug)
        except ValidationError:
            raise CommandError("A slug may only contain letters, digits, - and _.") from None
        if len(slug) > 60 or slug in RESERVED_SLUGS:
            raise CommandError(f"The slug {slug!r} cannot be used; choose another.")

    def _walk(self, path: Path) -> ArchiveWalk:
        try:
            if path.is_dir():
                return walk_folder(path, settings.ARCHIVE_LIMITS)
            return walk_archive(path, settings.ARCHIVE_LIMITS)
        except ArchiveRejected as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
