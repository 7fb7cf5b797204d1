import logging
from argparse import Namespace
from dataclasses import replace
from typing import Any

from django.core.management.base import CommandError, CommandParser

from classifier.management.cli import CLICommand, silence_tensorflow
from ml.backbones.backbone import Backbone
from ml.backbones.registry import get_backbone
from ml.cli.console import Console
from ml.cli.flags import add_retrain_flags
from ml.cli.hub_modules import find_module
from ml.cli.retraining import retrain
from ml.errors import UserError
from ml.training.config import ConfigError
from poetsweb.folders import ML

BAD_ARGUMENTS = 2


class Command(CLICommand):
    help = "Train a classifier on a folder of photos, as TensorFlow for Poets' retrain.py does. Needs no running site."

    def add_arguments(self, parser: CommandParser) -> None:
        add_retrain_flags(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        silence_tensorflow()
        flags, console = Namespace(**options), self.console.as_loud_as(options["logging_verbosity"])
        try:
            if flags.project:
                self._train_on_site(flags, console)
            else:
                retrain(flags, _find_backbone(flags, console), console)
        except ConfigError as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from None
        except UserError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{error.filename or 'A file'} cannot be written or read: {error.strerror}.") from None

    def _train_on_site(self, flags: Namespace, console: Console) -> None:
        for name in ("intermediate_store_frequency", "tfhub_module", "model_dir"):
            if getattr(flags, name):
                raise CommandError(f"--{name} does not go with --project.", returncode=BAD_ARGUMENTS)
        from worker.site_training import train_on_site  # the only part that needs the site

        logging.getLogger("classifier").setLevel(logging.ERROR)  # a missing broker is normal here
        train_on_site(flags, console)


def _find_backbone(flags: Namespace, console: Console) -> Backbone:
    folder = flags.model_dir
    settings = ML.for_command_line()
    if folder:
        settings = replace(settings, weights_dir=folder, backbones_dir=folder)
    if flags.tfhub_module:
        return find_module(flags.tfhub_module, settings, console)
    return get_backbone(flags.architecture, settings)
