"""Describe this machine, and what runs on it."""

import os
import platform
import resource
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def _count_cores() -> int:
    """Count the cores this process may use, which in a container may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


CORES = _count_cores()


def folder_size(folder: Path) -> int:
    """Return the bytes of the files in a folder and below; 0 where there is none."""
    total = 0
    for path in folder.rglob("*") if folder.is_dir() else ():
        with suppress(OSError):  # it may go meanwhile
            total += path.stat().st_size if path.is_file() and not path.is_symlink() else 0
    return total


def describe_software() -> str:
    """Return the versions that decide what a training gives, for people."""
    found = [f"Python {platform.python_version()}"]
    for package in ("tensorflow-cpu", "tensorflow"):
        with suppress(PackageNotFoundError):
            found.append(f"TensorFlow {version(package)}")
            break
    return ", ".join(found)


@dataclass(frozen=True)
class Processes:
    """How many processes there are, and the bytes of memory that they use; 0 where the system does not tell it."""

    count: int
    memory: int


def measure_processes() -> Processes:
    """Measure this process and its children, on Linux."""
    tasks = [Path("/proc/self"), *(Path("/proc") / pid for pid in _children())]
    sizes = [_resident(task) for task in tasks]
    return Processes(sum(1 for size in sizes if size), sum(sizes))


def _children() -> list[str]:
    found: list[str] = []
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found += path.read_text().split()
    return found


def _resident(task: Path) -> int:
    with suppress(OSError, ValueError, IndexError):
        return int((task / "statm").read_text().split()[1]) * resource.getpagesize()
    return 0
