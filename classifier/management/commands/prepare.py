from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.locks import hold_migrations
from ml.backbones.registry import get_backbone
from ml.download import DownloadFailed
from ml.engines.conversion import ConversionFailed, ensure_tflite
from ml.engines.speed import ensure_speed
from poetsweb.platforms import explain_processor, this_machine


class Command(BaseCommand):
    help = "Prepare the site: migrate the database, collect the static files, and convert the backbone once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-backbone", action="store_true", help="leave the conversion of the backbone to the first training"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if sentence := explain_processor(this_machine()):
            raise CommandError(sentence)
        with hold_migrations():
            call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        if not options["no_backbone"]:
            self._prepare_backbone()

    def _prepare_backbone(self) -> None:
        backbone = get_backbone(settings.BACKBONE, settings.ML)
        settings.ML.backbones_dir.mkdir(parents=True, exist_ok=True)
        if not any(settings.ML.backbones_dir.glob(f"{backbone.name}-*.tflite")):
            self.stdout.write(
                f"Preparing the backbone {backbone.title}. This happens once and takes about half a minute …"
            )
            self.stdout.flush()
        try:
            ensure_speed(ensure_tflite(backbone, settings.ML.backbones_dir))
        except (ConversionFailed, DownloadFailed) as error:
            raise CommandError(str(error)) from None
