"""What the commands of TensorFlow for Poets have in common."""

import logging
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ml.cli.console import Console

SAID_EVERY = 100  # pictures, where no terminal shows a bar


class CLICommand(BaseCommand):
    """Needs no database. A flag is taken by its whole name: --image for --image_dir would be a guess."""

    requires_system_checks = []
    _said = 0  # of the progress

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, allow_abbrev=False, **kwargs)

    @property
    def console(self) -> Console:
        return Console(self.stdout.write, self.stderr.write, self._progress)

    def _progress(self, what: str, done: int, total: int) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{what}: {done:,} of {total:,}", ending="\n" if done >= total else "")
            self.stdout.flush()
        elif done // SAID_EVERY != self._said // SAID_EVERY:
            self.stdout.write(f"{what}: {done} of {total}")
        self._said = done


def silence_tensorflow() -> None:
    """Keep TensorFlow's remarks from the user, and GPUs from it. Call it before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
