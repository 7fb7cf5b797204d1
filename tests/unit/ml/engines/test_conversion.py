import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ml.backbones.backbone import Backbone
from ml.engines import conversion as module
from ml.engines.conversion import ConversionFailed, ensure_tflite, main, record_path
from poetsweb.folders import ML

ENSURE = """
import pathlib, sys
from ml.backbones.registry import get_backbone
from ml.engines import conversion as convert
from poetsweb.folders import ML
run = convert._run_converter
def counted(*args):
    open(sys.argv[1] + "/conversions", "a").write("x")
    run(*args)
convert._run_converter = counted
print(convert.ensure_tflite(get_backbone("testing", ML), pathlib.Path(sys.argv[1])))
"""


@pytest.fixture
def copied(tflite: Path, tmp_path: Path) -> Path:
    """Copy the converted file to a folder that this process has not looked into."""
    for file in (tflite, record_path(tflite)):
        shutil.copy(file, tmp_path)
    return tmp_path / tflite.name


@pytest.fixture
def conversions(tflite: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replace the converter by a slow copy of its result, and list what was converted."""
    done: list[Path] = []

    def run_converter(_backbone: Backbone, path: Path) -> None:
        done.append(path)
        time.sleep(0.2)
        shutil.copy(tflite, path)
        shutil.copy(record_path(tflite), record_path(path))

    monkeypatch.setattr(module, "_run_converter", run_converter)
    return done


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_ensure_records_what_it_made(tflite: Path, backbone: Backbone) -> None:
    assert tflite.name == f"testing-{backbone.digest[:16]}.tflite"
    record = json.loads(record_path(tflite).read_text())
    assert set(record.pop("converter")) == {"tensorflow", "keras"}
    record.pop("images_per_second", None)  # where another test has measured it
    assert record == {
        "name": "testing",
        "digest": backbone.digest,
        "sha256": sha256_of(tflite),
        "input_size": 32,
        "features": 48,
    }


def test_ensure_leaves_no_scratch_files(tflite: Path) -> None:
    assert tflite.is_file()
    assert not list(tflite.parent.glob(".*"))


def test_ensure_uses_a_good_file(copied: Path, backbone: Backbone, conversions: list[Path]) -> None:
    assert ensure_tflite(backbone, copied.parent) == copied
    assert not conversions


@pytest.mark.slow
def test_ensure_two_processes_convert_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENSURE, str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate(timeout=120)[0] for process in started}
    assert (tmp_path / "conversions").read_text() == "x"
    assert len(said) == 1
    assert Path(said.pop().strip()).is_file()


def test_ensure_many_threads_convert_once(tmp_path: Path, backbone: Backbone, conversions: list[Path]) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: ensure_tflite(backbone, tmp_path / "new"), range(8)))
    assert (len(paths), len(conversions)) == (1, 1)


def test_ensure_tampered_file_is_converted_again(
    copied: Path, tflite: Path, backbone: Backbone, conversions: list[Path]
) -> None:
    data = bytearray(copied.read_bytes())
    data[len(data) // 2] ^= 1
    copied.write_bytes(data)
    assert sha256_of(ensure_tflite(backbone, copied.parent)) == sha256_of(tflite)
    assert len(conversions) == 1


@pytest.mark.parametrize("record", ["", "[]", "{}", "null", '{"digest": 1, "sha256": 2}', "\x00"])
def test_ensure_broken_record_is_converted_again(
    copied: Path, backbone: Backbone, conversions: list[Path], record: str
) -> None:
    record_path(copied).write_text(record)
    ensure_tflite(backbone, copied.parent)
    assert len(conversions) == 1


@pytest.mark.parametrize("lost", ["file", "record"])
def test_ensure_after_a_death_between_the_renames(
    copied: Path, backbone: Backbone, conversions: list[Path], lost: str
) -> None:
    (copied if lost == "file" else record_path(copied)).unlink()
    ensure_tflite(backbone, copied.parent)
    assert len(conversions) == 1


def test_ensure_lost_file_is_converted_again(copied: Path, backbone: Backbone, conversions: list[Path]) -> None:
    ensure_tflite(backbone, copied.parent)
    copied.unlink()  # the folder is a cache, which may be lost at any time
    assert ensure_tflite(backbone, copied.parent).is_file()
    assert len(conversions) == 1


def test_ensure_sweeps_what_a_killed_conversion_left(
    tmp_path: Path, tflite: Path, backbone: Backbone, conversions: list[Path]
) -> None:
    left_behind = tmp_path / f".{tflite.stem}-killed"
    left_behind.mkdir()
    (left_behind / tflite.name).write_bytes(b"half a file")
    assert sha256_of(ensure_tflite(backbone, tmp_path)) == sha256_of(tflite)
    assert not left_behind.exists()


def test_ensure_failed_conversion_passes_the_reason_on(tmp_path: Path, backbone: Backbone) -> None:
    unknown = dataclasses.replace(backbone, name="nameless")
    with pytest.raises(ConversionFailed, match=r"could not be converted \(exit code 1\).*no backbone 'nameless'"):
        ensure_tflite(unknown, tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".lock"}


def test_ensure_other_recipe_than_asked_is_refused(tmp_path: Path, backbone: Backbone, conversions: list[Path]) -> None:
    newer = dataclasses.replace(backbone, version=backbone.version + 1)
    with pytest.raises(ConversionFailed, match="another version of its network"):
        ensure_tflite(newer, tmp_path)
    assert not list(tmp_path.glob("*.tflite"))


def test_ensure_hanging_conversion_is_ended(
    tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONVERSION_SECONDS", 0.05)
    with pytest.raises(ConversionFailed, match=r"took more than 0\.05 s"):
        ensure_tflite(backbone, tmp_path)


@pytest.mark.parametrize(("arguments", "code"), [([], 2), ([ML.dump(), "nameless", "out"], 1)])
def test_main_refuses(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    assert capsys.readouterr().err
