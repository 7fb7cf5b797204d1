#!/usr/bin/env python
"""PoetsWeb's command line: `python manage.py help` lists the commands."""

import atexit
import os
import sys

# These need neither database nor site: without Django's applications they begin in a third of the time.
LIGHT = {"label_image": "classifier", "evaluate": "classifier", "retrain": "worker"}  # command -> where it is


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poetsweb.settings")
    from django.core.exceptions import ImproperlyConfigured

    try:
        if sys.argv[1:2] and sys.argv[1] in LIGHT and not _concerns_the_site(sys.argv):
            _run_light(sys.argv)
        else:
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"PoetsWeb cannot start: {error}")


def _concerns_the_site(arguments: list[str]) -> bool:
    return any(argument.split("=")[0] == "--project" for argument in arguments)


def _run_light(arguments: list[str]) -> None:
    import gc
    import importlib

    gc.disable()  # what modules make is no garbage, and to look through it takes a tenth of the start
    from django.core.management.base import CommandError

    from poetsweb import folders  # noqa: F401 - it says where files are

    command = importlib.import_module(f"{LIGHT[arguments[1]]}.management.commands.{arguments[1]}").Command()
    gc.freeze()
    gc.enable()
    status = 0
    try:
        # What `run_from_argv` does, but for closing connections to a database: that would read all settings.
        command._called_from_command_line = True  # a wrong flag ends with how the command is used
        options = vars(command.create_parser(arguments[0], arguments[1]).parse_args(arguments[2:]))
        command.execute(*options.pop("args", ()), **options)
    except CommandError as error:
        if options["traceback"]:
            raise
        command.stderr.write(f"CommandError: {error}")
        status = error.returncode
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    atexit._run_exitfuncs()  # folders for scratch files
    sys.stdout.flush()
    sys.stderr.flush()
    # All is written. Taking TensorFlow and the interpreters apart would keep the user waiting for another half second.
    os._exit(status)


if __name__ == "__main__":
    main()
