from argparse import Namespace
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from classifier.management.poets import PoetsCommand
from worker.archives import ArchiveRejected
from worker.backbones import WeightsMissing, get_backbone
from worker.backbones.convert import ConversionFailed
from worker.config import ConfigError
from worker.download import DownloadFailed
from worker.head import EmptySplit
from worker.poets.flags import NOT_YET, add_retrain_flags
from worker.poets.photos import BadPhotos
from worker.poets.retraining import RetrainFailed, retrain, use_quietly
from worker.poets.talk import Talk

SENTENCES = (ArchiveRejected, BadPhotos, ConversionFailed, DownloadFailed, EmptySplit, RetrainFailed, WeightsMissing)
SAID_EVERY = 100  # pictures, where no terminal shows a bar
BAD_ARGUMENTS = 2


class Command(PoetsCommand):
    help = "Train a classifier on a folder of photos, as TensorFlow for Poets' retrain.py does. Needs no running site."
    _said = 0  # of the progress

    def add_arguments(self, parser: CommandParser) -> None:
        add_retrain_flags(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        for name, what in NOT_YET.items():
            if options[name]:
                raise CommandError(f"--{name}: {what} cannot be used yet.", returncode=BAD_ARGUMENTS)
        use_quietly(options["model_dir"])
        backbones = options["model_dir"] or settings.BACKBONE_DIR
        talk = Talk(self.stdout.write, self.stderr.write, self._progress)
        try:
            retrain(Namespace(**options), get_backbone(options["architecture"]), backbones, talk)
        except ConfigError as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from None
        except SENTENCES as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{error.filename or 'A file'} cannot be written or read: {error.strerror}.") from None

    def _progress(self, what: str, done: int, total: int) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{what}: {done:,} of {total:,}", ending="\n" if done >= total else "")
            self.stdout.flush()
        elif done // SAID_EVERY != self._said // SAID_EVERY:
            self.stdout.write(f"{what}: {done} of {total}")
        self._said = done
