from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.models import ApiKey
from classifier.services.accounts import create_api_key
from ml.errors import UserError


class Command(BaseCommand):
    help = "Create an API key for a user and print it. With --create-user, create the user first if there is none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="command line", help="what the key is for")
        parser.add_argument(
            "--scope", choices=ApiKey.Scope.values, default=ApiKey.Scope.EVERYTHING, help="what calls the key opens"
        )
        parser.add_argument("--days", type=int, help="for how long the key works; without it, until it is revoked")
        parser.add_argument(
            "--create-user", action="store_true", help="create the user, without a password: only the key gives access"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        users = get_user_model().objects
        user = users.filter(username=options["username"]).first()
        if user is None and options["create_user"]:
            user = users.create_user(username=options["username"])
        if user is None:
            raise CommandError(f"There is no user {options['username']!r}. Add --create-user to create one.")
        try:
            _, key = create_api_key(user, options["name"], scope=options["scope"], days=options["days"])
        except UserError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(key)
