from typing import Any

import structlog
from django.core.management.base import BaseCommand

from classifier.services.set_up import asks_for_code, current_code

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Log the code with which the first visitor becomes the administrator, where the site asks for one."

    def handle(self, *args: Any, **options: Any) -> None:
        if asks_for_code():
            log.warning(f"This site has no administrator yet. Open /set-up and enter the code {current_code()}")
        elif options["verbosity"]:
            self.stdout.write("No code is needed: there is an account already, or only this machine reaches the site.")
