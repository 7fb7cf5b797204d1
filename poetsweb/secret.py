"""Keep the key that signs sessions: it is made once and stored in the data folder, readable by its owner only."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from ml.files import sync_path


def read_or_create_secret(path: Path) -> str:
    """Return the secret in `path`, making it first if necessary; two processes that start together agree on one.

    Raise `ImproperlyConfigured` if the folder cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or not path.stat().st_size:  # empty after a power cut, when it was not synced yet
            path.unlink(missing_ok=True)
            _create(path)
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"the data folder {path.parent} cannot be used ({error.strerror}); "
            "set POETSWEB_DATA to a folder that you may write to."
        ) from None


def _create(path: Path) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    aside.write_text(get_random_secret_key())
    sync_path(aside)
    try:
        # Unlike a rename, a link fails if another process was first; then that process's key is used.
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    sync_path(path.parent)
