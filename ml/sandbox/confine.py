"""Run one of our modules as a program with few rights, because it opens a stranger's network.

    python -m ml.sandbox.confine LIMITS MODULE ARGUMENT...

It may not use more memory, time or disk than it was given, and ends at once where the system cannot confine it, unless
the limits let it run all the same. Where the system allows that without root (Linux), it can
only open the files it needs, start no programs or processes, reach no other machine or process, and it ends with
whoever started it. All this is set up before the module, or anything else that starts a thread, is imported, because a
process with threads cannot leave the network.
"""

import contextlib
import ctypes
import json
import os
import resource
import runpy
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ml.sandbox.landlock import can_restrict_files, restrict_files
from ml.sandbox.seccomp import can_restrict_calls, restrict_calls
from ml.sandbox.tied import end_with_parent

MEMORY = 6 * 2**30  # bytes of data; TensorFlow itself takes one
SECONDS = 900  # of processor time
FILE = 4 * 2**30  # bytes of one file
# What must be forbidden, as words for a sentence, and the exit statuses of programs for which one or both could not be.
_PROTECTIONS = ("opening any file", "connecting to other programs")
_MISSING = {65: _PROTECTIONS[:1], 66: _PROTECTIONS[1:], 67: _PROTECTIONS}
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # Linux, sched.h
_ROOT = Path(__file__).parents[2]
# Variables that libraries need, none of which contains passwords or keys of the site.
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
)
# System files that Python, TensorFlow and the resolver of host names read.
_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/nix/store", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat"),
    *("/proc/filesystems", "/sys/devices/system", "/sys/fs/cgroup", "/dev/urandom", "/dev/random", "/dev/zero"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/mime.types", "/etc/passwd"),
    *("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"),
    *("/etc/host.conf", "/etc/gai.conf", "/etc/services", "/run/systemd/resolve"),
)


@dataclass(frozen=True)
class Limits:
    """The limits of a confined process.

    Attributes:
        reads: files and folders it may read, in addition to those of Python and of the system.
        writes: files and folders it may read and write.
        seconds: of processor time.
        memory: bytes of data.
        online: whether it may open connections to other machines.
        tied: whether it ends with the thread that started it, which does not fit processes that serve several threads.
        nice: how far it steps back where others want the processor, from 0 to 19.
        unconfined: whether it runs all the same where the system cannot forbid it files or calls.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    seconds: int = SECONDS
    memory: int = MEMORY
    online: bool = False
    tied: bool = True
    nice: int = 0
    unconfined: bool = False


def missing_protections() -> list[str]:
    """List what this system cannot forbid a confined process, as words for a sentence."""
    return _missing(can_restrict_files(), can_restrict_calls())


def _missing(*there: bool) -> list[str]:
    return [what for what, is_there in zip(_PROTECTIONS, there, strict=True) if not is_there]


def say_unconfined(missing: Iterable[str]) -> str:
    """Return the sentence for a network that is not opened because protections are missing."""
    return (
        f"This site opens no networks, because its system cannot forbid a process {' and '.join(missing)}. "
        "The administrator can allow it all the same (UNCONFINED_NETWORKS)."
    )


def why_unconfined(status: int | None) -> str:
    """Return that sentence if a program ended with this status because it was not confined, or else nothing."""
    missing = _MISSING.get(status or 0)
    return say_unconfined(missing) if missing else ""


def confined(module: str, arguments: Iterable[str], limits: Limits) -> tuple[str, list[str]]:
    """Return (module, arguments) that run `module` within the limits."""
    return "ml.sandbox.confine", [json.dumps(asdict(limits)), module, *arguments]


def bare_environment(folder: Path) -> dict[str, str]:
    """Return `child_environment` without the site's secrets, and with `folder` for the settings of Keras."""
    from ml.sandbox.environment import child_environment

    whole = child_environment(folder)
    ours = ("PYTHONPATH", "TMPDIR", "TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES", "KERAS_BACKEND")
    kept = {name: whole[name] for name in (*_PASSED_ON, *ours) if name in whole}
    return {**kept, "KERAS_HOME": str(folder)}  # not the Keras settings of the user who runs the site


def confine(limits: Limits) -> None:
    """Apply the limits to this process from now on, or end it if that cannot be done and it may not run otherwise."""
    if limits.nice:
        _step_back(limits.nice)
    for limit, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (
            resource.RLIMIT_CPU,
            limits.seconds,
            limits.seconds + 5,
        ),  # SIGXCPU first: who sends SIGKILL?
        (resource.RLIMIT_FSIZE, FILE, FILE),
        (resource.RLIMIT_DATA, limits.memory, limits.memory),
    ):
        with contextlib.suppress(OSError, ValueError):  # not every system knows each, nor lets it be lowered
            resource.setrlimit(limit, (soft, hard))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if limits.tied:
            end_with_parent()
        if not limits.online and libc.unshare(_NEW_USER | _NEW_NETWORK) and os.geteuid() == 0:
            libc.unshare(_NEW_NETWORK)  # root needs no user namespace for it
    reads = [*map(Path, (*_SYSTEM, *limits.reads)), *_of_python()]
    writes = [Path("/dev/null"), *map(Path, limits.writes)]
    files = restrict_files(reads=reads, writes=writes, tcp=limits.online)
    missing = _missing(files, restrict_calls(online=limits.online))
    if missing and not limits.unconfined:
        sys.exit(next(status for status, known in _MISSING.items() if known == tuple(missing)))


def _step_back(nice: int) -> None:
    """Leave the processor to others. Linux weighs a session as one (autogroup), and only then what is in it."""
    os.nice(nice)
    with contextlib.suppress(OSError):  # not every system has that
        if os.getsid(0) != os.getpid():
            os.setsid()
        Path("/proc/self/autogroup").write_text(str(nice))


def _of_python() -> list[Path]:
    """Return Python's packages and libraries, and the computing part of our code: settings and data lie beside it."""
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    found = {sys.prefix, sys.base_prefix, sys.executable, *libraries, *sys.path} - {"", ".", str(_ROOT), os.getcwd()}
    return [*map(Path, sorted(found)), _ROOT / "ml"]


def main(arguments: Sequence[str]) -> None:
    """Apply the limits, then run the module."""
    limits, module, *rest = arguments
    confine(Limits(**json.loads(limits)))
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
