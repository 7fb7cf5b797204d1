"""The site under any user id, without capabilities, on a root that cannot be written: as containers run it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.datasets import coloured_pictures, make_zip
from tests.site import ROOT, Site

USER = 54321  # who has no entry in /etc/passwd
RIGHTLESS = f"setpriv --reuid={USER} --regid=0 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs"
# A mount of its own for what may be written, and everything else read-only. A Python in the home of root is shown to
# others as well, whatever the tests before have made of the umask: otherwise that of the system would run.
CONTAINED = f"""
set -e
umask 022
mount --bind "$0" "$0"
if ! {RIGHTLESS} test -r "$1/lib"; then
    mount --bind "$1" /mnt
    mount -t tmpfs -o mode=755 tmpfs "$2"
    mkdir -p "$1"
    mount --bind /mnt "$1"
fi
mount -o remount,bind,ro /
shift 2
exec {RIGHTLESS} "$@"
"""
PYTHON = [sys.base_prefix, "/" + Path(sys.base_prefix).parts[1]]
UNREADABLE = (
    "find manage.py ml worker poetsweb classifier {prefix} -name __pycache__ -prune -o -type f ! -readable -print -quit"
)

pytestmark = [
    pytest.mark.site,
    pytest.mark.skipif(
        sys.platform != "linux" or os.getuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv"))),
        reason="Only root on Linux can make a mount read-only for a process alone.",
    ),
]


@pytest.fixture
def writable() -> Iterator[Path]:
    """Give a folder below which any user may come."""
    folder = Path(tempfile.mkdtemp(prefix="poetsweb-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def contained(folder: Path, *command: str) -> list[str]:
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", CONTAINED, str(folder), *PYTHON, *command]


def test_a_site_trains_and_answers(writable: Path, backbones: Path) -> None:
    search = contained(writable, *UNREADABLE.format(prefix=sys.prefix).split())
    unreadable = subprocess.run(search, cwd=ROOT, capture_output=True, check=False)
    if unreadable.returncode or unreadable.stdout:
        pytest.skip("This program was installed for one user alone, or this system makes no mounts.")
    (writable / "tmp").mkdir()
    site = Site(writable / "data", prepared=backbones.parent, TMPDIR=str(writable / "tmp"), HOME=str(writable / "tmp"))
    site.env["PYTHONDONTWRITEBYTECODE"] = "1"
    for path in (writable, *writable.rglob("*")):
        os.chown(path, USER, 0)
    check_python(site, writable)
    site.command = contained(writable, *site.command)
    site.manage = lambda *arguments, check=True: run_there(site, writable, *arguments)  # type: ignore[method-assign]
    site.start()
    try:
        client = site.client("anybody")
        slug = client.ok("POST", "/projects", {"name": "Colours"})["slug"]
        archive = make_zip(coloured_pictures(8))
        client.succeed(client.ok("POST", f"/projects/{slug}/uploads", {}, [("file", "colours.zip", archive)])["job"])
        client.succeed(client.ok("POST", f"/projects/{slug}/train", {})["job"])
        [(_, picture), *_] = coloured_pictures(1, seed=9).items()
        answer = client.ok("POST", f"/projects/{slug}/classify", files=[("image", "one.png", picture)])
        assert answer["model_version"] == 1
    finally:
        assert site.stop() == 0
    written = {path.lstat().st_uid for path in site.data.rglob("*")}
    assert written == {USER}


def check_python(site: Site, folder: Path) -> None:
    tell = contained(folder, sys.executable, "-c", "import sys; print(*sys.version_info[:3], sys.base_prefix)")
    said = subprocess.run(tell, cwd=ROOT, env=site.env, capture_output=True, text=True, check=True)
    assert said.stdout.split() == [*map(str, sys.version_info[:3]), sys.base_prefix]


def run_there(site: Site, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = contained(folder, sys.executable, "manage.py", *arguments)
    return subprocess.run(command, cwd=ROOT, env=site.env, capture_output=True, text=True, check=True, timeout=120)
