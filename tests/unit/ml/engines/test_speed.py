"""Test that the speed of a backbone is measured once per machine and never guessed."""

import json
import shutil
from pathlib import Path

import pytest

from ml.backbones.registry import get_backbone
from ml.engines.conversion import converted_path, ensure_tflite, record_path
from ml.engines.speed import FIELD, ensure_speed, read_speed
from poetsweb.folders import ML


@pytest.fixture
def converted(backbones: Path, tmp_path: Path) -> Path:
    """Copy the tiny backbone to a folder of its own, where it has not been measured yet."""
    shutil.copytree(backbones, tmp_path / "backbones")
    path = converted_path(get_backbone("testing", ML), tmp_path / "backbones")
    record = json.loads(record_path(path).read_text())
    record.pop(FIELD, None)
    record_path(path).write_text(json.dumps(record))
    return path


def test_speed_is_measured_once_and_kept(converted: Path) -> None:
    assert read_speed(converted) is None
    first = ensure_speed(converted)
    assert first > 0
    assert read_speed(converted) == ensure_speed(converted) == first


def test_measuring_leaves_the_rest_of_the_record(converted: Path) -> None:
    before = json.loads(record_path(converted).read_text())
    ensure_speed(converted)
    after = json.loads(record_path(converted).read_text())
    assert {name: after[name] for name in before} == before
    assert (
        ensure_tflite(get_backbone("testing", ML), converted.parent) == converted
    )  # it is still the file of its record


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"images_per_second": "fast"}', '{"images_per_second": -1}'])
def test_what_is_no_speed_is_none(record: str, converted: Path) -> None:
    record_path(converted).write_text(record)
    assert read_speed(converted) is None


def test_backbone_that_is_not_there_has_no_speed(tmp_path: Path) -> None:
    assert read_speed(tmp_path / "none.tflite") is None
