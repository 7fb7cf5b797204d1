import logging
from argparse import Namespace
from typing import Any

from django.core.management.base import CommandError, CommandParser

from classifier.management.poets import PoetsCommand
from worker.archives import ArchiveRejected
from worker.backbones import Backbone, WeightsMissing, get_backbone
from worker.backbones.convert import ConversionFailed
from worker.config import ConfigError
from worker.download import DownloadFailed
from worker.head import EmptySplit
from worker.networks.engine import EngineFailed
from worker.networks.sources import SourceRefused
from worker.places import backbones_folder
from worker.poets.flags import add_retrain_flags
from worker.poets.modules import find_module
from worker.poets.photos import BadPhotos
from worker.poets.quiet import use_quietly
from worker.poets.retraining import RetrainFailed, retrain
from worker.poets.talk import Talk

SENTENCES = (
    ArchiveRejected,
    BadPhotos,
    ConversionFailed,
    DownloadFailed,
    EmptySplit,
    EngineFailed,
    RetrainFailed,
    SourceRefused,
    WeightsMissing,
)
BAD_ARGUMENTS = 2


class Command(PoetsCommand):
    help = "Train a classifier on a folder of photos, as TensorFlow for Poets' retrain.py does. Needs no running site."

    def add_arguments(self, parser: CommandParser) -> None:
        add_retrain_flags(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        use_quietly(options["model_dir"])
        flags, talk = Namespace(**options), self.talk.as_loud_as(options["logging_verbosity"])
        try:
            if flags.project:
                self._train_on_site(flags, talk)
            else:
                retrain(flags, _find_backbone(flags, talk), flags.model_dir or backbones_folder(), talk)
        except ConfigError as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from None
        except SENTENCES as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{error.filename or 'A file'} cannot be written or read: {error.strerror}.") from None

    def _train_on_site(self, flags: Namespace, talk: Talk) -> None:
        for name in ("intermediate_store_frequency", "tfhub_module", "model_dir"):
            if getattr(flags, name):
                raise CommandError(f"--{name} does not go with --project.", returncode=BAD_ARGUMENTS)
        from classifier.management.site_training import train_on_site  # the only part that needs the site

        logging.getLogger("classifier").setLevel(logging.ERROR)  # no broker is no news here
        train_on_site(flags, talk)


def _find_backbone(flags: Namespace, talk: Talk) -> Backbone:
    return find_module(flags.tfhub_module, talk) if flags.tfhub_module else get_backbone(flags.architecture)
