"""Run one of our modules as a program that ends with the process that started it, where the system can do that.

    python -m ml.sandbox.tied MODULE ARGUMENT...

A worker that is killed while it exports would otherwise leave TensorFlow at work beside the next attempt.
"""

import ctypes
import runpy
import signal
import sys

_SIGNAL_AT_DEATH = 1  # PR_SET_PDEATHSIG of Linux, prctl.h


def end_with_parent() -> None:
    """Let the system kill this process when the thread that started it ends (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SIGNAL_AT_DEATH, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    end_with_parent()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
