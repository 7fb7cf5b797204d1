"""What the commands of TensorFlow for Poets have in common."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class PoetsCommand(BaseCommand):
    """Needs no database. A flag is taken by its whole name: --image for --image_dir would be a guess."""

    requires_system_checks = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, allow_abbrev=False, **kwargs)
