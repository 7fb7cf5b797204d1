"""The unit for systemd is valid, and starts what exists as a user without rights."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import get_commands

UNIT = Path(__file__).resolve().parents[2] / "deploy/systemd/poetsweb.service"


@pytest.fixture
def unit() -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read(UNIT)
    return found


def test_it_starts_a_command_of_ours(unit: configparser.ConfigParser) -> None:
    program, manage, command, *rest = unit["Service"]["ExecStart"].split()
    assert (program, manage, rest) == ("/opt/poetsweb/.venv/bin/python", "manage.py", ["$ROLES"])
    assert command in get_commands()


def test_it_runs_without_rights_and_writes_one_folder(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    assert service["User"] == "poetsweb"
    assert service["CapabilityBoundingSet"] == ""
    assert service["NoNewPrivileges"] == service["ProtectHome"] == "true"
    assert (service["ProtectSystem"], service["StateDirectoryMode"]) == ("strict", "0700")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    there = (
        UNIT.read_text().replace("/opt/poetsweb/.venv/bin/python", "/bin/true").replace("User=poetsweb", "User=root")
    )
    copy.write_text(there.replace("/opt/poetsweb", "/"))
    found = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    told = [line for line in found.stderr.splitlines() if UNIT.name in line]
    assert told == []
