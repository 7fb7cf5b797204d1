"""Run the site's programs side by side: when one of them ends, all end."""

import os
import shlex
import signal
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from honcho.manager import Manager
from honcho.process import Process

from poetsweb.folders import BASE_DIR
from poetsweb.instance import SERVE_PID

FAILED = 1
UNKNOWN = 0  # the process id of a program whose relay died before it told


def run_together(commands: dict[str, list[str]], env: Mapping[str, str] = MappingProxyType({})) -> int:
    """Start all, with these variables; when one ends or Ctrl-C is pressed, stop all. Return the exit status."""
    manager = _Manager()
    environment = {**os.environ, **env, "PYTHONUNBUFFERED": "1", SERVE_PID: str(os.getpid())}
    for name, command in commands.items():
        manager.add_process(name, f"exec {shlex.join(command)}", env=environment, cwd=str(BASE_DIR))
    manager.loop()
    asked_to_stop = (128 + signal.SIGINT, 128 + signal.SIGTERM)
    return 0 if manager.returncode in asked_to_stop else int(manager.returncode or 0)


class _Relay(Process):  # type: ignore[misc] # its package has no types
    """What passes on the output of a program, and goes on reading it when nobody is left to pass it on to."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._site = os.getpid()

    def _send_message(self, data: Any, type: str = "line") -> None:
        if os.getppid() == self._site:
            super()._send_message(data, type)
        else:
            self._events.cancel_join_thread()  # or it would wait at its end until somebody has read the last lines


class _Manager(Manager):  # type: ignore[misc] # its package has no types
    """A manager that notices the death of a relay.

    Each would tell it of its program's end; from a dead one it would wait for that for ever.
    """

    returncode: int | None

    def __init__(self) -> None:
        super().__init__()
        self._process_ctor = _Relay

    def _all_started(self) -> bool:
        for one in self._processes.values():
            if "returncode" not in one and not one["process"].is_alive() and self.events.empty():
                self._give_up(one)
        return bool(super()._all_started())

    def _give_up(self, one: dict[str, Any]) -> None:
        if one.setdefault("pid", UNKNOWN) != UNKNOWN:
            self._procmgr.terminate(one["pid"])  # otherwise it ends when it sees that the site has ended
        one["returncode"] = FAILED
        self.returncode = self.returncode or FAILED
