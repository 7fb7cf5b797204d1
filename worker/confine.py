"""What a process that opens a stranger's network may not do. Called by it at its beginning, before any thread.

It may not take more memory, time or disk than it was given, nor reach any other machine where the system allows to
leave the network without being root (Linux with user namespaces).
"""

import contextlib
import ctypes
import os
import resource
import sys
from pathlib import Path

MEMORY = 6 * 2**30  # bytes of data; TensorFlow itself takes one
SECONDS = 900  # of a processor
FILE = 4 * 2**30  # bytes of one file
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # Linux, sched.h
# What libraries need. Passwords and keys of the site are in none of them.
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "POETSWEB_WEIGHTS",
    "POETSWEB_BACKBONES",
    "WEIGHTS_URL",
)


def bare_environment(folder: Path) -> dict[str, str]:
    """`child_environment` without the site's secrets."""
    from worker.tensorflow_child import child_environment

    whole = child_environment(folder)
    ours = ("PYTHONPATH", "TMPDIR", "TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES", "KERAS_BACKEND")
    return {name: whole[name] for name in (*_PASSED_ON, *ours) if name in whole}


def confine(*, seconds: int = SECONDS, online: bool = False) -> None:
    """From now on the limits hold, for this process and its children."""
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, FILE),
        (resource.RLIMIT_DATA, MEMORY),
    ):
        with contextlib.suppress(OSError, ValueError):  # not every system knows each, nor lets it be lowered
            resource.setrlimit(limit, (value, value))
    if not online and sys.platform == "linux":
        _leave_the_network()


def _leave_the_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_USER | _NEW_NETWORK) and os.geteuid() == 0:
        libc.unshare(_NEW_NETWORK)  # root needs no namespace of users for it
