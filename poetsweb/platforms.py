"""Say in a sentence why PoetsWeb cannot run on a machine, before anything is installed there.

The Makefile runs this file with whatever Python there is, so it needs no package, and nothing newer than Python 3.7.
Which machines there are packages for stands in the names of the wheels of TensorFlow, LiteRT, NumPy and Valkey.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

OLDEST_PYTHON, PAST_PYTHONS = (3, 11), (3, 14)
OLDEST_GLIBC = (2, 28)
OLDEST_MACOS = (12, 0)
CPU_INFO = Path("/proc/cpuinfo")
DOCKER = "Docker runs it there as well: docker compose up."


@dataclass(frozen=True)
class Machine:
    """What decides whether there are packages for a machine.

    Attributes:
        libc: name and version of the C library; the name is empty where there is none known, as with musl.
        is_64_bit: of Python itself, which may be a 32-bit program on a 64-bit system.
        cpu_flags: what the processor is capable of, in the words of Linux; empty where that is unknown.
    """

    system: str
    release: str
    processor: str
    libc: tuple[str, str]
    python: tuple[int, ...]
    is_64_bit: bool
    cpu_flags: str


def this_machine() -> Machine:
    return Machine(
        system=platform.system(),
        release=platform.mac_ver()[0] if platform.system() == "Darwin" else platform.release(),
        processor=platform.machine(),
        libc=platform.libc_ver(),
        python=tuple(sys.version_info[:2]),
        is_64_bit=sys.maxsize > 2**32,
        cpu_flags=_read_cpu_flags(),
    )


def _read_cpu_flags() -> str:
    try:
        lines = CPU_INFO.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")


def describe() -> str:
    """Return the kind of this machine, for the name of a file: `linux-x86_64-python3.11`."""
    machine = this_machine()
    return f"{machine.system.lower()}-{machine.processor}-python{'.'.join(map(str, machine.python))}"


def explain(machine: Machine) -> str | None:
    """Return why PoetsWeb cannot run there, and what can be done, or None if it can."""
    by_system: dict[str, str | None] = {
        "Linux": _explain_linux(machine),
        "Darwin": _explain_macos(machine),
        "Windows": (
            "PoetsWeb does not run on Windows itself. Install the Windows Subsystem for Linux (in PowerShell: "
            f"wsl --install), and run it in its terminal. {DOCKER}"
        ),
    }
    unknown = f"PoetsWeb runs on Linux and macOS; there are no packages for {machine.system}. {DOCKER}"
    # An old Python tells a wrong release of macOS, so it is asked about first.
    return by_system.get(machine.system, unknown) or _explain_python(machine) or _explain_old_macos(machine)


def _explain_linux(machine: Machine) -> str | None:
    if machine.processor not in ("x86_64", "aarch64") or not machine.is_64_bit:
        kind = "a 32-bit Python" if machine.processor in ("x86_64", "aarch64") else machine.processor
        return (
            f"PoetsWeb needs a 64-bit system on x86-64 or ARM (aarch64); this is {kind}, for which there is no "
            "TensorFlow. On a Raspberry Pi 3 or newer, install the 64-bit Raspberry Pi OS."
        )
    if machine.libc[0] != "glibc":
        return (
            "There is no TensorFlow for systems with musl, such as Alpine Linux. Use one with glibc, such as Debian, "
            f"Ubuntu or Fedora. {DOCKER}"
        )
    if numbers(machine.libc[1]) < OLDEST_GLIBC:
        return (
            f"This system is too old for the packages: its C library is glibc {machine.libc[1]}, and they need "
            f"{'.'.join(map(str, OLDEST_GLIBC))} (Debian 10, Ubuntu 20.04, RHEL 8) or newer. {DOCKER}"
        )
    return explain_processor(machine)


def explain_processor(machine: Machine) -> str | None:
    """Return why TensorFlow would end at once on this processor, or None if it would not, or nothing is known."""
    if machine.processor == "x86_64" and machine.cpu_flags and "avx" not in machine.cpu_flags.split():
        return (
            "This processor has no AVX, which TensorFlow needs: it would end at once. Processors from 2012 on have it, "
            "apart from some Celeron, Pentium and Atom. In a virtual machine, let it see the real processor (in QEMU "
            "and Proxmox: CPU type “host”)."
        )
    return None


def _explain_macos(machine: Machine) -> str | None:
    if machine.processor == "arm64":
        return None
    return (
        "There is no TensorFlow for Macs with an Intel processor any more. If this Mac has an Apple chip, use a "
        f"Python that is made for it (arm64). {DOCKER}"
    )


def _explain_old_macos(machine: Machine) -> str | None:
    if machine.system != "Darwin" or numbers(machine.release) >= OLDEST_MACOS:
        return None
    return f"PoetsWeb needs macOS {OLDEST_MACOS[0]} or newer; this is {machine.release}."


def _explain_python(machine: Machine) -> str | None:
    if OLDEST_PYTHON <= machine.python < PAST_PYTHONS:
        return None
    return (
        f"PoetsWeb needs Python 3.11, 3.12 or 3.13; this is {'.'.join(map(str, machine.python))}. "
        "Say which: make run PYTHON=python3.12"
    )


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers with which a version begins, such as (2, 31) for `2.31-0ubuntu9`."""
    beginning = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, beginning[0].split("."))) if beginning else ()


if __name__ == "__main__":
    sentence = explain(this_machine())
    if sentence:
        sys.stderr.write(sentence + os.linesep)
        sys.exit(1)
