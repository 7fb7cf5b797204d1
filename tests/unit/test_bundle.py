"""The file for machines without internet has all that the program needs, and installs from what it brings along."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from deploy.bundle import make_bundle


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a bundle with one package that is none, and unpack it."""
    folder = tmp_path_factory.mktemp("bundle")
    packages = folder / "downloaded"
    packages.mkdir()
    (packages / "package.whl").write_bytes(b"a package")
    target = folder / "poetsweb.tar"
    make_bundle(target, packages)
    with tarfile.open(target) as bundle:
        bundle.extractall(folder, filter="data")
    assert sorted(path.name for path in folder.iterdir()) == ["downloaded", "poetsweb", "poetsweb.tar"]
    return folder / "poetsweb"


def test_the_program_in_it_is_whole(unpacked: Path, tmp_path: Path) -> None:
    env = {**os.environ, "POETSWEB_DATA": str(tmp_path / "data")}
    env.pop("PYTHONPATH", None)
    command = [sys.executable, "manage.py", "check"]
    subprocess.run(command, cwd=unpacked, env=env, check=True, capture_output=True)


def test_packages_come_from_its_folder(unpacked: Path) -> None:
    def commands(folder: Path) -> str:
        return subprocess.run(
            ["make", "-n", "run", "EXTRAS=s3", "VENV=nowhere"], cwd=folder, capture_output=True, text=True, check=True
        ).stdout

    installs = [line for line in commands(unpacked).splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert all("--require-hashes --no-index --find-links packages" in line for line in installs)
    (unpacked / "packages/package.whl").rename(unpacked / "package.whl")
    (unpacked / "packages").rmdir()
    assert "--no-index" not in commands(unpacked)


def test_nothing_private_is_in_it(unpacked: Path) -> None:
    names = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert "Makefile" in names
    assert not [
        name for name in names if name.endswith((".env", ".pyc", ".sqlite3")) or name.startswith((".git", "var"))
    ]
