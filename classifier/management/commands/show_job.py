from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.models import Job


class Command(BaseCommand):
    help = "Print everything that is known about a job, with the details of its failure."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        job = Job.objects.filter(pk=options["number"]).first()
        if job is None:
            raise CommandError(f"There is no job {options['number']}.")
        for field in job._meta.fields:
            if field.name not in ("curve", "error_detail"):
                self.stdout.write(f"{field.name:>17}  {getattr(job, field.attname)}")
        self.stdout.write(job.error_detail)
