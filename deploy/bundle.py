"""Put the program and its packages into one file, for machines without internet: `make bundle EXTRAS="s3 zstd"`.

Unpacked there, `make run` installs from its folder `packages`. The packages are those for this machine's system,
processor and version of Python, with the digests that the lists ask for.
"""

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from poetsweb.platforms import describe  # noqa: E402
from poetsweb.version import VERSION  # noqa: E402

FILES = ("CHANGELOG.md", "LICENSE", "Makefile", "README.md", "SECURITY.md", ".env.example", "manage.py")
FOLDERS = ("ml", "worker", "classifier", "poetsweb", "docs", "deploy")
LEFT_OUT = ("__pycache__", ".DS_Store")


def make_bundle(target: Path, packages: Path) -> None:
    """Write the file: the program, and the packages that are in that folder."""
    aside = target.with_name(f".{target.name}")
    with tarfile.open(aside, "w") as bundle:
        for name in (*FILES, *FOLDERS, *sorted(path.name for path in ROOT.glob("requirements*"))):
            bundle.add(ROOT / name, f"poetsweb/{name}", filter=_clean)
        bundle.add(packages, "poetsweb/packages", filter=_clean)
    aside.replace(target)


def _clean(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if Path(member.name).name in LEFT_OUT:
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def download(lists: Sequence[Path], folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "-d", str(folder)]
    subprocess.run([*command, *(word for path in lists for word in ("-r", str(path)))], check=True)  # noqa: S603


def main(extras: Sequence[str]) -> None:
    lists = [ROOT / "requirements.txt", *(ROOT / f"requirements-{extra}.txt" for extra in extras)]
    target = Path.cwd() / f"poetsweb-{VERSION}-{describe()}.tar"
    print("Downloading the packages …", flush=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".bundle-") as folder:
        download(lists, Path(folder))
        make_bundle(target, Path(folder))
    print(f"{target.name} is for machines of the same kind: unpack it there, and “make run” in the folder “poetsweb”.")


if __name__ == "__main__":
    main(sys.argv[1:])
