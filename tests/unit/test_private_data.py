"""Nobody but the owner of the data folder can read what is in it, and nobody without the password uses the broker."""

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from classifier.cache import JSONSerializer
from classifier.models import CustomBackbone, Job
from classifier.services import custom_backbones
from ml.errors import ImportRefused
from ml.model_import.program import Request
from poetsweb import broker, folders
from poetsweb.folders import make_private, make_socket_folder
from worker import custom_backbone


@pytest.mark.parametrize("before", [None, 0o755, 0o777])
def test_folder_is_for_its_owner_alone(tmp_path: Path, before: int | None) -> None:
    folder = tmp_path / "data"
    if before:
        folder.mkdir()
        folder.chmod(before)
    umask = os.umask(0)
    try:
        make_private(folder)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_folder_in_a_data_folder_of_somebody_else_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs as any user of the group that owns the volume."""
    monkeypatch.setattr(folders, "DATA_DIR", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    make_private(tmp_path)
    make_socket_folder(tmp_path / "valkey")
    make_socket_folder(tmp_path / "valkey")


@pytest.mark.parametrize("before", [None, 0o755, 0o777])
def test_socket_folder_among_those_of_others_is_for_us_alone(tmp_path: Path, before: int | None) -> None:
    folder = tmp_path / "sockets"
    if before:
        folder.mkdir()
        folder.chmod(before)
    make_socket_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def link_to_ours(folder: Path) -> None:
    folder.with_name("ours").mkdir()
    folder.symlink_to("ours")


@pytest.mark.parametrize("take", [link_to_ours, Path.touch, Path.mkdir])
def test_socket_folder_that_somebody_else_made_is_refused(
    take: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sockets"
    take(folder)
    if folder.is_dir() and not folder.is_symlink():
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ImproperlyConfigured, match="is not a folder of the user who runs it alone; remove it"):
        make_socket_folder(folder)


def test_cache_takes_no_pickles() -> None:
    serializer = JSONSerializer()
    for value in (7, "text", ["a", 1], {"a": [None, True]}):
        stored = serializer.dumps(value)
        assert serializer.loads(str(stored).encode()) == value
    with pytest.raises(ValueError, match=r"decode|Expecting"):
        serializer.loads(b"\x80\x04cos\nsystem\n")


def test_password_of_the_broker_is_in_no_file_that_it_reads(tmp_path: Path) -> None:
    path = broker._write_users(tmp_path, "the password")
    assert "the password" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("allowed", [False, True])
def test_networks_are_refused_where_nothing_confines_them(
    allowed: bool, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custom_backbones, "missing_protections", lambda: ["opening any file"])
    settings.ML = replace(settings.ML, unconfined_networks=allowed)
    if allowed:
        custom_backbones.check_confinement()
    else:
        with pytest.raises(ImportRefused, match="cannot forbid a process opening any file"):
            custom_backbones.check_confinement()


@pytest.mark.parametrize("allowed", [False, True])
def test_worker_leaves_the_choice_to_the_administrator(
    allowed: bool, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[dict[str, Any]] = []
    for name in ("open_network", "fetch"):
        monkeypatch.setattr(custom_backbone, name, lambda *_, **named: given.append(named))
    settings.ML = replace(settings.ML, unconfined_networks=allowed)
    custom_backbone._open(Job(), CustomBackbone(), tmp_path, tmp_path, Request())
    custom_backbone._fetch(Job(), "https://example.org/x", tmp_path)
    assert [named["unconfined"] for named in given] == [allowed, allowed]
