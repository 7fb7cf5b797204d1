"""Starting and stopping: one command, clear sentences, two copies side by side."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.site import ROOT, Site

pytestmark = pytest.mark.site


def manage(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    whole = {**os.environ, **env}
    return subprocess.run(command, cwd=ROOT, env=whole, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "eighty", "PORT='eighty' is not valid; write a whole number from 1 to 65535."),
        ("PORT", "70000", "PORT='70000' is not valid"),
        ("DEBUG", "maybe", "DEBUG='maybe' is not valid; write true or false."),
        ("DATABASE_URL", "mysql://x/y", "DATABASE_URL must begin with postgres://"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL must begin with redis://"),
        ("POETSWEB_BACKBONE", "resnet", "POETSWEB_BACKBONE='resnet' is not valid; write one of efficientnet_lite0"),
        ("POETSWEB_DATA", "/proc/nowhere", "the data folder /proc/nowhere cannot be used"),
        ("DATABASE_URL", "postgres://u:secret@h:abc/x", "DATABASE_URL has a port that is not a number."),
        ("REDIS_URL", "redis://localhost:abc", "REDIS_URL has a port that is not a number."),
        ("TIME_ZONE", "Mars/North", "TIME_ZONE='Mars/North' is not valid; write the name of a time zone"),
        ("MAX_IMAGE_MB", "-1", "MAX_IMAGE_MB='-1' is not valid"),
    ],
)
def test_wrong_value_is_one_sentence(name: str, value: str, sentence: str) -> None:
    result = manage("serve", **{name: value})
    assert result.returncode == 1
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_taken_port_is_one_sentence(data: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        result = manage("serve", PORT=str(port), POETSWEB_DATA=str(data))
    assert result.returncode == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in result.stderr
    assert "Traceback" not in result.stderr


def test_services_that_do_not_answer_are_one_sentence(data: Path) -> None:
    for name, value in (
        ("REDIS_URL", "redis://127.0.0.1:1/0"),
        ("DATABASE_URL", "postgres://nobody:secret@127.0.0.1:1/none"),
    ):
        result = manage("serve", POETSWEB_DATA=str(data), PORT="8", **{name: value, "HOST": "127.0.0.1"})
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
        assert "secret" not in result.stderr


def test_second_copy_on_the_same_data_is_refused(site: Site) -> None:
    result = site.manage("serve", check=False)
    assert result.returncode == 1
    assert "cannot be used" in result.stderr  # its port comes first
    other = manage("serve", POETSWEB_DATA=str(site.data), PORT="8999")
    assert other.returncode == 1
    assert "PoetsWeb is already running with the data folder" in other.stderr


def test_two_copies_side_by_side(site: Site, data: Path, backbones: Path) -> None:
    other = Site(data, backbones=backbones).start()
    try:
        neighbour = other.client("neighbour")
        slug = neighbour.ok("POST", "/projects", {"name": "Next door"})["slug"]
        mine = site.client("owner")
        assert slug not in [project["slug"] for project in mine.ok("GET", "/projects")]
        assert mine.call("GET", f"/projects/{slug}")[0] == 404
    finally:
        assert other.stop() == 0
    assert site.client("owner").call("GET", "/projects")[0] == 200
