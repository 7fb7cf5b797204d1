import json
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug

from classifier.management.plans import answer_questions, can_ask, describe_plan, open_or_fail, refuse
from classifier.models import Project, UploadItem
from classifier.selectors import upload_counts
from classifier.services.projects import RESERVED_SLUGS, InvalidName, create_project
from classifier.services.uploads import add_entries, start_upload
from classifier.services.videos import frames_in_job
from classifier.services.web_pictures import walk_with_web
from ml.datasets.archives import ArchiveWalk, Opened, open_path
from ml.datasets.readings import VALUES, BadLayout, Layout, parse_layout


class Command(BaseCommand):
    help = (
        "Import pictures from a folder, an archive or a table of web addresses. "
        "What is understood of it is shown first, and asked if in doubt."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH")
        parser.add_argument("--project", metavar="SLUG", help="needed unless it is a dry run")
        parser.add_argument("--create", metavar="NAME", help="create the project with this name if it does not exist")
        parser.add_argument("--owner", metavar="USERNAME", help="the owner of the project that --create creates")
        parser.add_argument("--layout", metavar="LAYOUT", default="auto", help=f"where the classes are: {VALUES}")
        parser.add_argument("--dry-run", action="store_true", help="only tell what was understood")
        parser.add_argument("--json", action="store_true", help="with --dry-run: as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        opened = self._open(options["path"], self._layout(options["layout"]))
        if options["dry_run"]:
            self._tell(opened, as_json=options["json"])
            return
        self._check_project(options)
        opened = self._settle(opened, options)
        if not opened.plan.classes and not opened.plan.unlabelled:
            raise CommandError("There are no pictures in it that can be brought in.")
        self._import(walk_with_web(opened.walk(), opened.plan.web), self._project(options), options)

    def _layout(self, text: str) -> Layout:
        try:
            return parse_layout(text)
        except BadLayout as error:
            raise CommandError(str(error)) from None

    def _open(self, path: Path, layout: Layout) -> Opened:
        return open_or_fail(partial(open_path, path, settings.ARCHIVE_LIMITS), path, layout)

    def _tell(self, opened: Opened, *, as_json: bool) -> None:
        plan = opened.plan
        if as_json:
            self.stdout.write(json.dumps(plan.describe(), ensure_ascii=False, indent=2))
            self.stderr.writelines(f"{sentence}\n" for sentence in plan.warnings)
            return
        self.stdout.write("\n".join(describe_plan(plan)))
        if plan.questions:
            self.stdout.write(str(refuse(plan)))

    def _settle(self, opened: Opened, options: dict[str, Any]) -> Opened:
        """Show the plan, and ask until nothing is doubtful. Raise `CommandError` if nobody can be asked."""
        layout = self._layout(options["layout"])
        while opened.plan.questions:
            if not can_ask():
                raise refuse(opened.plan)
            layout = answer_questions(opened.plan, layout, self.stdout.write)
            opened = self._open(options["path"], layout)
        if options["verbosity"]:
            self.stdout.write("\n".join(describe_plan(opened.plan)))
        return opened

    def _import(self, walk: ArchiveWalk, project: Project, options: dict[str, Any]) -> None:
        upload = start_upload(project, f"{options['path'].name} from the command line", by=project.owner)
        done = 0
        for outcomes in add_entries(upload, frames_in_job(walk, walk.plan.layout.frames if walk.plan else None)):
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
        if set(counts) <= {UploadItem.Status.REJECTED.value}:
            raise CommandError("No picture could be brought in.")

    def _check_project(self, options: dict[str, Any]) -> None:
        if not options["project"]:
            raise CommandError("Say where the pictures go: --project SLUG.")
        if Project.objects.filter(slug=options["project"]).exclude(deleted_at=None).exists():
            raise CommandError(f"The project {options['project']!r} is in the trash. Restore it first.")
        if not options["create"] and not Project.objects.filter(slug=options["project"], deleted_at=None).exists():
            raise CommandError(f"There is no project {options['project']!r}. Add --create NAME to create it.")

    def _project(self, options: dict[str, Any]) -> Project:
        project = Project.objects.filter(slug=options["project"], deleted_at=None).select_related("owner").first()
        if project is not None:
            return project
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
