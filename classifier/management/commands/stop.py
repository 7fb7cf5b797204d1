from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from poetsweb.instance import stop_copy


class Command(BaseCommand):
    help = "Stop the site that “make run” or “manage.py serve” has started on this data folder, with all its processes."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            stopped = stop_copy(settings.DATA_DIR)
        except TimeoutError as error:
            raise CommandError(f"PoetsWeb could not be stopped. {error}") from None
        self.stdout.write("PoetsWeb has stopped." if stopped else "PoetsWeb is not running.")
