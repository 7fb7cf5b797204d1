"""Make the passwords of PostgreSQL and Redis at the first start in containers: `python -m poetsweb.passwords FOLDER`.

The folder then has the files that the services and the settings DATABASE_URL_FILE and REDIS_URL_FILE name. They are
made once.
"""

import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from ml.files import write_atomically

LETTERS_AND_DIGITS = 24  # bytes, as hexadecimal digits: it is part of an address
FORMER = "poetsweb"  # the password of sites that were set up when it had a default
FOREIGN, FOREIGN_FOLDER = 0o644, 0o775  # PostgreSQL and Redis run as users of their own; nobody else reaches the volume

REDIS = """\
requirepass {password}
save ""
appendonly no
protected-mode yes
"""


def write_passwords(folder: Path, data: Path, *, database: str = "") -> bool:
    """Write the files, unless they are there. Return whether the password of an earlier set-up was kept.

    Args:
        folder: where they are made, by one process at a time.
        data: the data folder. If there is anything in it, the database has a password already.
        database: its password, where the operator has chosen one.
    """
    last = folder / "database_url"
    if last.exists():
        return False
    kept = not database and _is_used(data)
    password = database or (FORMER if kept else secrets.token_hex(LETTERS_AND_DIGITS))
    broker = secrets.token_hex(LETTERS_AND_DIGITS)
    files = {
        "postgres_password": password,
        "redis.conf": REDIS.format(password=broker),
        "redis_url": f"redis://:{broker}@redis:6379/0",
        last.name: f"postgres://poetsweb:{password}@postgres:5432/poetsweb",  # when it is there, all are
    }
    for name, content in files.items():
        write_atomically(folder / name, content, mode=FOREIGN)
    return kept


def _is_used(data: Path) -> bool:
    return data.is_dir() and any(data.iterdir())


def main(folder: str) -> None:
    password = os.environ.get("POSTGRES_PASSWORD", "").strip()
    if password and not (password.isascii() and password.isalnum()):
        sys.exit("POSTGRES_PASSWORD may have letters and digits only, as it is part of an address.")
    data = Path(os.environ["POETSWEB_DATA"])
    os.umask(0o777 & ~FOREIGN)
    with suppress(PermissionError):  # it is somebody else's, who knows what for
        Path(folder).chmod(FOREIGN_FOLDER)
    if write_passwords(Path(folder), data, database=password):
        sys.stderr.write(
            "This site was set up when the password of its database was “poetsweb”, and keeps it. "
            "docs/installing.md says how to change it.\n"
        )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Say where: python -m poetsweb.passwords FOLDER")
    main(sys.argv[1])
