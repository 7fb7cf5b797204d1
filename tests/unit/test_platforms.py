"""Machines without packages get a sentence before anything is installed there."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from classifier.management.commands import prepare
from poetsweb.platforms import Machine, explain, numbers, this_machine

ROOT = Path(__file__).resolve().parents[2]
LINUX = Machine("Linux", "6.1", "x86_64", ("glibc", "2.36"), (3, 11), True, "fpu sse4_2 avx avx2")
MAC = Machine("Darwin", "14.5", "arm64", ("", ""), (3, 12), True, "")


@pytest.mark.parametrize(
    "machine",
    [
        LINUX,
        replace(LINUX, processor="aarch64", cpu_flags=""),
        replace(LINUX, cpu_flags=""),  # a sandbox that hides the processor
        replace(LINUX, libc=("glibc", "2.28")),
        replace(LINUX, python=(3, 13)),
        MAC,
    ],
    ids=["x86-64", "arm", "unknown processor", "oldest glibc", "newest Python", "Apple chip"],
)
def test_machines_with_packages_are_let_in(machine: Machine) -> None:
    assert explain(machine) is None


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (replace(LINUX, libc=("", "")), "musl"),
        (replace(LINUX, libc=("glibc", "2.27")), "glibc 2.27"),
        (replace(LINUX, libc=("glibc", "2.5")), "glibc 2.5"),
        (replace(LINUX, cpu_flags="fpu sse4_2 avxish"), "AVX"),
        (replace(LINUX, processor="armv7l", is_64_bit=False), "64-bit Raspberry Pi OS"),
        (replace(LINUX, processor="aarch64", is_64_bit=False), "a 32-bit Python"),
        (replace(LINUX, processor="riscv64"), "riscv64"),
        (replace(MAC, processor="x86_64"), "Intel"),
        (replace(MAC, release="11.7"), "macOS 12"),
        (replace(MAC, release="10.16", python=(3, 8)), "this is 3.8"),
        (replace(LINUX, system="Windows", processor="AMD64"), "wsl --install"),
        (replace(LINUX, system="FreeBSD"), "no packages for FreeBSD"),
        (replace(LINUX, python=(3, 10)), "PYTHON=python3.12"),
        (replace(LINUX, python=(3, 14)), "PYTHON=python3.12"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_others_are_told_why_and_what_to_do(machine: Machine, words: str) -> None:
    sentence = explain(machine)
    assert sentence is not None
    assert words in sentence


@pytest.mark.parametrize(("version", "found"), [("2.36", (2, 36)), ("2.31-0ubuntu9", (2, 31)), ("", ()), ("14", (14,))])
def test_versions_are_read_as_far_as_they_are_numbers(version: str, found: tuple[int, ...]) -> None:
    assert numbers(version) == found


def test_the_check_runs_without_any_package() -> None:
    """Run it as the Makefile does, before there is an environment: -I -S leaves all installed packages out."""
    command = [sys.executable, "-I", "-S", "poetsweb/platforms.py"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_make_installs_nothing_where_the_check_fails(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "It does not run here." >&2\nexit 1\n')
    python.chmod(0o755)
    command = ["make", "run", f"PYTHON={python}", f"VENV={tmp_path}/venv"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "It does not run here." in found.stderr
    assert not (tmp_path / "venv").exists()


def test_make_says_which_python_it_wants_where_there_is_none(tmp_path: Path) -> None:
    command = ["make", "run", f"PYTHON={tmp_path}/python", f"VENV={tmp_path}/venv"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "PoetsWeb needs Python 3.11, 3.12 or 3.13" in found.stdout


def test_a_processor_without_avx_ends_the_preparation_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "this_machine", lambda: replace(this_machine(), processor="x86_64", cpu_flags="sse2"))
    with pytest.raises(CommandError, match="no AVX"):
        call_command("prepare")
