"""Small labelled collections of pictures, made in code."""

import io
import tarfile
import zipfile

from tests.pictures import make_jpeg

COLOURS = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (50, 60, 200)}


def coloured_pictures(each: int, *, seed: int = 0, names: tuple[str, ...] = tuple(COLOURS)) -> dict[str, bytes]:
    """Make pictures by path, `red/0.jpg` and so on, of classes that the tiny backbone can tell apart."""
    return {
        f"{name}/{number}.jpg": make_jpeg(seed + 1000 * place + number, colour=COLOURS[name])
        for place, name in enumerate(names)
        for number in range(each)
    }


def make_zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def make_tgz(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
