"""A codec with a hole: pictures with a mark crash every process that decodes them and has it on its PYTHONPATH."""

import os
from pathlib import Path

from tests.pictures import make_jpeg

MARK, ENDLESS = b"crash the reader", b"never come back"
_CODEC = f"""
import ctypes, time
import PIL.Image
whole = PIL.Image.open
def open(file, *args, **options):
    if {MARK!r} in file.getvalue():
        ctypes.string_at(0)
    while {ENDLESS!r} in file.getvalue():
        time.sleep(1)
    return whole(file, *args, **options)
PIL.Image.open = open
"""


def python_path(folder: Path) -> str:
    """Write the codec into a new folder, and return the PYTHONPATH with which Python loads it."""
    place = folder / "codec"
    place.mkdir()
    (place / "sitecustomize.py").write_text(_CODEC)
    return os.pathsep.join(filter(None, (str(place), os.environ.get("PYTHONPATH"))))


def deadly(mark: bytes = MARK) -> bytes:
    """Return a picture that is good, and ends the codec."""
    return make_jpeg(999) + mark
