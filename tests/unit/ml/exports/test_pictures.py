"""The program of an export reads pictures as the site does, those of extras too, where their packages are installed."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ml.backbones.registry import get_backbone
from ml.exports.parts import Parts
from ml.images.decoding import load_picture
from ml.training.head import Head
from poetsweb.folders import ML
from tests.pictures import make_jpeg
from tests.raw_files import make_dng

TESTING = get_backbone("testing", ML)
PROGRAM = """
import pathlib, sys
import numpy
import pictures
numpy.save("seen", pictures.load_picture(pathlib.Path("picture").read_bytes(), 32))
"""


def raw() -> bytes:
    return make_dng(np.random.default_rng(0).random((64, 96, 3)), orientation=6)


def dicom() -> bytes:
    from tests.dicom_files import GRADIENT, make_dicom

    return make_dicom(GRADIENT, PhotometricInterpretation="MONOCHROME1")


@pytest.mark.parametrize(("make", "needs"), [(lambda: make_jpeg(1), "PIL"), (raw, "rawpy"), (dicom, "pydicom")])
def test_program_sees_what_the_site_sees(make: object, needs: str, tmp_path: Path) -> None:
    if find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    data = make()  # type: ignore[operator]
    head = Head(np.zeros((TESTING.features, 2), np.float32), np.zeros(2, np.float32))
    Parts("Colours", 7, TESTING, head, ["red", "blue"]).write_texts(tmp_path, "tflite")
    (tmp_path / "picture").write_bytes(data)
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, check=True, timeout=60)
    assert (np.load(tmp_path / "seen.npy") == load_picture(data, 32)).all()
