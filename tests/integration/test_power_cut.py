"""A power cut at any moment loses nothing that was acknowledged.

The data folder lies on a file system of its own in a file. A copy of that file is what the disk holds at that instant:
whatever is only in the memory of the system is not in it. It is mounted, as after a power cut, and checked.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.datasets import COLOURS, coloured_pictures, make_zip
from tests.loop_disk import can_mount, make_disk, mounted
from tests.processes import family
from tests.site import Client, Site

MOMENTS = int(os.environ.get("POWER_CUTS", "3"))  # in the middle of the work
RESUMES = int(os.environ.get("POWER_RESUMES", "0"))  # of these, after which the site is started again
EACH = 150
SIZE = 400 * 2**20


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Give (the file, the folder it is mounted at)."""
    folder = tmp_path_factory.mktemp("power")
    if not can_mount(folder):
        pytest.skip("Only root can mount a file, where the system has loop devices.")
    image = make_disk(folder / "disk.img", SIZE)
    with mounted(image, folder / "disk") as place:
        yield image, place


@pytest.fixture(scope="module")
def site(disk: tuple[Path, Path], prepared: Path) -> Iterator[Site]:
    running = Site(disk[1] / "data", prepared=prepared, WEB_WORKERS="1").start()
    yield running
    running.stop()


class Disk:
    """The site's disk, whose power can be cut."""

    def __init__(self, image: Path, site: Site, folder: Path) -> None:
        self.image, self.site, self.folder = image, site, folder

    def cut(self, name: str) -> Path:
        """Copy what the disk holds now: of one moment, so nothing is written to it while it is copied."""
        whole = family(self.site)
        self._tell(whole, "suspend")
        try:
            while True:  # the system may still be writing what it had in memory
                before = self.image.stat().st_mtime_ns
                copy = shutil.copyfile(self.image, self.folder / f"{name}.img")
                if self.image.stat().st_mtime_ns == before:
                    return Path(copy)
        finally:
            self._tell(whole, "resume")

    @staticmethod
    def _tell(whole: list[psutil.Process], what: str) -> None:
        for process in whole:
            with suppress(psutil.NoSuchProcess):  # it has just ended
                getattr(process, what)()

    def check(self, copy: Path, code: str) -> str:
        """Mount a copy, check all files against the rows, and return what the code prints there."""
        with mounted(copy, self.folder / "copy") as place:
            return self._look(self._site(place), code)

    def resume(self, copy: Path) -> str:
        """Start the site on a copy, let its jobs end by themselves, check it, and return what RESUMED prints there."""
        with mounted(copy, self.folder / "resumed") as place:
            after = self._site(place).start()
            try:
                after.wait(lambda: self._look(after, RESUMED).startswith("0 "), 120, every=1)
            finally:
                after.stop()
            return self._look(after, RESUMED)

    def _site(self, place: Path) -> Site:
        after = Site(place / "data")
        after.env = {**self.site.env, "POETSWEB_DATA": str(place / "data"), "PORT": str(after.port)}
        return after

    @staticmethod
    def _look(site: Site, code: str) -> str:
        """Do both in one process: to start one takes longer than to check."""
        checks = "from django.core.management import call_command; call_command('check_files')"
        done = site.manage("shell", "--no-imports", "-c", f"{checks}\n{code}", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip().splitlines()[-1]


@pytest.fixture
def cutter(disk: tuple[Path, Path], site: Site, tmp_path: Path) -> Disk:
    if site.env["DATABASE_URL"]:
        pytest.skip("The database is on another disk.")
    return Disk(disk[0], site, tmp_path)


pytestmark = [pytest.mark.site, pytest.mark.slow, pytest.mark.timeout(600)]
COUNTS = """
from classifier.models import *
exports = Export.objects.exclude(sha256="").count()
print(Sample.objects.count(), UploadItem.objects.count(), ModelVersion.objects.count(), exports)
"""


def begin_upload(owner: Client, name: str, seed: int) -> tuple[str, int]:
    slug = str(owner.ok("POST", "/projects", {"name": name})["slug"])
    archive = [("file", "colours.zip", make_zip(coloured_pictures(EACH, seed=seed)))]
    return slug, int(owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"])


RESUMED = """
from classifier.models import *
print(Job.objects.filter(parent=None).exclude(status="SUCCEEDED").count(), Export.objects.exclude(sha256="").count())
"""
EXPORTS = """
from classifier.models import *
exports = Job.objects.filter(kind="export")
print(exports.exclude(status="SUCCEEDED").count(), Export.objects.exclude(sha256="").count())
"""
EXPORT_SECONDS = 6


def test_what_was_acknowledged_is_there_a_moment_later(cutter: Disk, site: Site) -> None:
    owner = site.client("owner")
    slug, number = begin_upload(owner, "Acknowledged", 0)
    owner.succeed(number)
    ingested = cutter.cut("ingested")
    train(owner, slug)
    trained = cutter.cut("trained")
    owner.succeed(begin_export(owner, slug))
    exported = cutter.cut("exported")
    red = [("file", "one.jpg", next(iter(coloured_pictures(1, seed=77_000).values())))]
    owner.ok("POST", f"/projects/{slug}/uploads", {"class": "red"}, red)
    uploaded = cutter.cut("uploaded")
    pictures = EACH * len(COLOURS)
    assert cutter.check(ingested, COUNTS) == f"{pictures} {pictures} 0 0"
    assert cutter.check(trained, COUNTS) == f"{pictures} {pictures} 1 0"
    assert cutter.check(exported, COUNTS) == f"{pictures} {pictures} 1 1"
    assert cutter.check(uploaded, COUNTS) == f"{pictures + 1} {pictures + 1} 1 1"


def train(owner: Client, slug: str) -> None:
    job = owner.ok("POST", f"/projects/{slug}/train", {"force": True})["job"]
    owner.succeed(job, 120)


def begin_export(owner: Client, slug: str) -> int:
    return int(owner.ok("POST", f"/projects/{slug}/versions/1/exports", {"format": "tflite"})["job"])


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
        owner.succeed(number, 120)
    for copy in copies:
        cutter.check(copy, COUNTS)
    for copy in copies[:RESUMES]:
        assert cutter.resume(copy).split()[0] == "0"


def test_power_fails_in_the_middle_of_an_export(cutter: Disk, site: Site) -> None:
    owner = site.client("owner")
    slug, number = begin_upload(owner, "Half exported", 30_000)
    owner.succeed(number)
    train(owner, slug)
    others, before = map(int, site.manage("shell", "--no-imports", "-c", EXPORTS).stdout.split())
    copies: list[Path] = []
    jobs: list[int] = []

    def take(moment: int) -> None:
        copies.append(cutter.cut(f"export-{moment}"))

    at_moments(lambda: jobs.append(begin_export(owner, slug)), take, EXPORT_SECONDS / (MOMENTS + 1))
    owner.succeed(jobs[0], 120)
    found = [cutter.check(copy, EXPORTS) for copy in copies]
    middle, end = f"{others + 1} {before}", f"{others} {before + 1}"
    assert found[0] == middle
    assert set(found) <= {middle, end}
    for copy in copies[:RESUMES]:
        assert cutter.resume(copy).split()[1] == end.split()[1]
