"""Tell by the exit status whether a worker of this machine lives: `python -m classifier.alive trainer`.

A worker tells every 2 s that it lives; this asks whether it was heard of in the last 10 s. For the health checks of
containers, so it starts without Django's applications.
"""

import os
import socket
import sys


def main(name: str) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poetsweb.settings")
    from classifier.workers import list_workers

    return int(f"{name}@{socket.gethostname()}" not in list_workers())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Say which worker: python -m classifier.alive trainer")
    sys.exit(main(sys.argv[1]))
