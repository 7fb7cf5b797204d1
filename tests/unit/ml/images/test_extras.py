"""Without an extra, the sentence about a picture that needs it names it, and nothing offers the format."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import sys
from importlib import util
real = util.find_spec
util.find_spec = lambda name, *more: None if name in ("rawpy", "pydicom") else real(name, *more)
from ml.images.decoding import ImageRejected, verify_image
from ml.images.formats import list_endings, list_titles
assert not {"dcm", "dng"} & set(list_endings()) and not {"DICOM", "camera raw"} & set(list_titles())
try:
    verify_image(sys.stdin.buffer.read())
except ImageRejected as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("data", "extra"),
    [
        (b"FUJIFILMCCD-RAW 0201", "raw"),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(30), "raw"),
        (b"\0\0\0\x18ftypcrx " + bytes(30), "raw"),
        (bytes(128) + b"DICM\x02\0", "dicom"),
    ],
)
def test_sentence_names_the_extra(data: bytes, extra: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    program = [sys.executable, "-c", WITHOUT]
    root = Path(__file__).parents[4]
    said = subprocess.run(program, input=data, capture_output=True, check=True, cwd=root, env=environment, timeout=60)
    assert f"make run EXTRAS={extra}" in said.stdout.decode()
