"""TensorBoard for one folder of event files: a process that listens on a Unix socket and ends by itself.

    python -m classifier.tensorboard.server FOLDER PREFIX IDLE

FOLDER has the event files in `events/`; the socket is made in it, and with the process the folder goes. PREFIX is the
path of the address below which it answers. It ends IDLE seconds after the last question, or with its parent.
"""

import logging
import os
import shutil
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

EVENTS, SOCKET = "events", "socket"
LOOK_EVERY = 1.0


def main(arguments: list[str]) -> int:
    folder, prefix, idle = Path(arguments[0]), arguments[1], float(arguments[2])
    parent = os.getppid()
    _forbid_tensorflow()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each request
    last_asked = _serve(folder, prefix)
    try:
        while os.getppid() == parent and time.monotonic() - last_asked[0] < idle:
            time.sleep(LOOK_EVERY)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _forbid_tensorflow() -> None:
    """Make TensorBoard use its stand-in for TensorFlow, which it does if this module is found.

    The real one would cost 500 MB and five seconds.
    """
    sys.modules["tensorboard.compat.notf"] = ModuleType("notf")
    sys.modules["tensorflow"] = None  # type: ignore[assignment] # whoever imports it is told that there is none


def _serve(folder: Path, prefix: str) -> list[float]:
    """Serve in threads that end with this one; gives where the time of the last question is kept."""
    from tensorboard import program
    from tensorboard.default import get_static_plugins
    from werkzeug.serving import make_server

    last_asked = [time.monotonic()]

    class UnixServer(program.TensorBoardServer):  # type: ignore[misc] # its package has no types
        def __init__(self, wsgi_app: Any, flags: Any) -> None:
            def noting(environ: Any, start_response: Any) -> Any:
                last_asked[0] = time.monotonic()
                return wsgi_app(environ, start_response)

            self._server = make_server(f"unix://{folder / SOCKET}", 0, noting, threaded=True)

        def serve_forever(self) -> None:
            self._server.serve_forever()

        def get_url(self) -> str:
            return prefix

    board = program.TensorBoard(get_static_plugins(), server_class=UnixServer)
    # One look is enough: the training has ended. `load_fast` would start another program.
    flags = {"logdir": str(folder / EVENTS), "path_prefix": prefix, "reload_interval": 0, "load_fast": "false"}
    board.configure(**flags)
    board.launch()
    return last_asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
