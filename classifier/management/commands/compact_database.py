from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import filesizeformat

from classifier.services.compacting import compact_database


class Command(BaseCommand):
    help = "Give the disk back what SQLite keeps of deleted rows. Nobody can write meanwhile."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{filesizeformat(compact_database(ever=True))} have been given back.")
