import json
from argparse import Namespace
from typing import Any

from django.core.management.base import CommandError, CommandParser

from classifier.management.cli import CLICommand, silence_tensorflow
from ml.cli.flags import add_label_image_flags
from ml.cli.labelling import Named, label_images
from ml.errors import UserError
from ml.training.rejection import SENTENCES, Reason
from poetsweb.folders import ML


class Command(CLICommand):
    help = "Classify pictures, like label_image.py of TensorFlow for Poets."

    def add_arguments(self, parser: CommandParser) -> None:
        add_label_image_flags(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        silence_tensorflow()
        failed = False
        try:
            for named in label_images(Namespace(**options), ML.for_command_line()):
                failed |= bool(named.error)
                self._print_json(named) if options["json"] else self._print(named)
        except UserError as error:
            raise CommandError(str(error)) from None
        if failed:
            raise CommandError("Not all pictures could be read.")

    def _print_json(self, named: Named) -> None:
        classes = [{"name": label, "probability": round(score, 6)} for label, score in named.best]
        line = {
            "file": str(named.image),
            "classes": classes,
            "none_of_these": named.reason != Reason.NONE,
            "reason": named.reason,
            "milliseconds": round(1000 * named.seconds, 3),
        }
        self.stdout.write(json.dumps({**line, "error": named.error} if named.error else line, ensure_ascii=False))

    def _print(self, named: Named) -> None:
        if named.error:
            self.stderr.write(f"{named.image}: {named.error}")
            return
        self.stdout.write(f"\n{named.image}")
        self.stdout.write(f"Evaluation time (1-image): {named.seconds:.3f}s\n")
        if named.reason:
            self.stdout.write(f"none of these: {SENTENCES[named.reason]}")
        for label, score in named.best:
            self.stdout.write(f"{label} (score={score:0.5f})")
