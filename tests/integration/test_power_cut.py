"""A power cut at any moment loses nothing that was acknowledged.

The data folder lies on a file system of its own in a file. A copy of that file is what the disk holds at that instant:
whatever is only in the memory of the system is not in it. It is mounted, as after a power cut, and checked.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.datasets import COLOURS, coloured_pictures, make_zip
from tests.site import Client, Site

MOMENTS = int(os.environ.get("POWER_CUTS", "3"))  # in the middle of the work
EACH = 150
SIZE = 400 * 2**20


def can_mount(folder: Path) -> bool:
    """Return whether this system lets us mount a file: root, with loop devices and ext4."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.ext4", "mount", "umount"))):
        return False
    image = make_disk(folder / "probe.img")
    return subprocess.run(["umount", mount(image, folder / "probe")], check=False).returncode == 0


def make_disk(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", path], check=True)
    return path


def mount(image: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=False, capture_output=True)
    return folder


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    mount(image, folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Give (the file, the folder it is mounted at)."""
    folder = tmp_path_factory.mktemp("power")
    if not can_mount(folder):
        pytest.skip("Only root can mount a file, where the system has loop devices.")
    image = make_disk(folder / "disk.img")
    with mounted(image, folder / "disk") as place:
        yield image, place


@pytest.fixture(scope="module")
def site(disk: tuple[Path, Path], backbones: Path) -> Iterator[Site]:
    running = Site(disk[1] / "data", backbones=backbones, WEB_WORKERS="1").start()
    yield running
    running.stop()


class Disk:
    """The site's disk, whose power can be cut."""

    def __init__(self, image: Path, site: Site, folder: Path) -> None:
        self.image, self.site, self.folder = image, site, folder

    def cut(self, name: str) -> Path:
        """Copy what the disk holds now: of one moment, so nothing is written to it while it is copied."""
        assert self.site.process is not None
        whole = psutil.Process(self.site.process.pid)
        family = [whole, *whole.children(recursive=True)]
        self._tell(family, "suspend")
        try:
            while True:  # the system may still be writing what it had in memory
                before = self.image.stat().st_mtime_ns
                copy = shutil.copyfile(self.image, self.folder / f"{name}.img")
                if self.image.stat().st_mtime_ns == before:
                    return Path(copy)
        finally:
            self._tell(family, "resume")

    @staticmethod
    def _tell(family: list[psutil.Process], what: str) -> None:
        for process in family:
            with suppress(psutil.NoSuchProcess):  # it has just ended
                getattr(process, what)()

    def check(self, copy: Path, code: str) -> str:
        """Mount a copy, check all files against the rows, and return what the code prints there."""
        with mounted(copy, self.folder / "copy") as place:
            after = Site(place / "data")
            after.env = {**self.site.env, "POETSWEB_DATA": str(place / "data")}
            checked = after.manage("check_files", check=False)
            assert checked.returncode == 0, checked.stdout
            return after.manage("shell", "--no-imports", "-c", code).stdout.strip()


@pytest.fixture
def cutter(disk: tuple[Path, Path], site: Site, tmp_path: Path) -> Disk:
    if site.env["DATABASE_URL"]:
        pytest.skip("The database is on another disk.")
    return Disk(disk[0], site, tmp_path)


pytestmark = [pytest.mark.site, pytest.mark.slow, pytest.mark.timeout(600)]
COUNTS = """
from classifier.models import *
print(Sample.objects.count(), UploadItem.objects.count(), ModelVersion.objects.count())
"""


def begin_upload(owner: Client, name: str, seed: int) -> tuple[str, int]:
    slug = str(owner.ok("POST", "/projects", {"name": name})["slug"])
    archive = [("file", "colours.zip", make_zip(coloured_pictures(EACH, seed=seed)))]
    return slug, int(owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"])


def test_what_was_acknowledged_is_there_a_moment_later(cutter: Disk, site: Site) -> None:
    owner = site.client("owner")
    slug, number = begin_upload(owner, "Acknowledged", 0)
    assert owner.wait_job(number)["status"] == "SUCCEEDED"
    ingested = cutter.cut("ingested")
    job = owner.ok("POST", f"/projects/{slug}/train", {"force": True})["job"]
    assert owner.wait_job(job, 120)["status"] == "SUCCEEDED"
    trained = cutter.cut("trained")
    red = [("file", "one.jpg", next(iter(coloured_pictures(1, seed=77_000).values())))]
    owner.ok("POST", f"/projects/{slug}/uploads", {"class": "red"}, red)
    uploaded = cutter.cut("uploaded")
    pictures = EACH * len(COLOURS)
    assert cutter.check(ingested, COUNTS) == f"{pictures} {pictures} 0"
    assert cutter.check(trained, COUNTS) == f"{pictures} {pictures} 1"
    assert cutter.check(uploaded, COUNTS) == f"{pictures + 1} {pictures + 1} 1"


def at_moments(work: Callable[[], None], take: Callable[[int], None], pause: float) -> None:
    """Begin the work, and take something at so many moments of it."""
    work()
    for moment in range(MOMENTS):
        time.sleep(pause)
        take(moment)


def test_power_fails_in_the_middle_of_everything(cutter: Disk, site: Site) -> None:
    owner = site.client("owner")
    copies: list[Path] = []
    jobs: list[int] = []

    def work() -> None:
        slug, number = begin_upload(owner, "Middle", 10_000)
        jobs.append(number)
        owner.wait_job(number)
        jobs.append(owner.ok("POST", f"/projects/{slug}/train", {"force": True})["job"])
        begin_upload(owner, "Middle too", 20_000)

    at_moments(work, lambda moment: copies.append(cutter.cut(f"moment-{moment}")), 0.15)
    for number in jobs:
        assert owner.wait_job(number, 120)["status"] == "SUCCEEDED"
    for copy in copies:
        cutter.check(copy, COUNTS)
