"""Download weights that no package contains when they are first needed, or find them where somebody has put them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ml.download import download
from ml.errors import Unavailable
from ml.settings import MLSettings

LIMIT = 2 * 2**30  # the largest known has 1.3 GB


class WeightsMissing(Unavailable):
    """The weights of a backbone are not on this machine; the message says how to get them."""


@dataclass(frozen=True)
class PublishedWeights:
    """A file of weights, given by its path below the publisher's address."""

    path: str
    checksum: str | None  # MD5 or SHA-256, hexadecimal; not every file has one

    @property
    def file_name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]

    def target(self, settings: MLSettings) -> Path:
        """Return where the file is, once it is there."""
        return settings.weights_dir / self.file_name

    def find(self, settings: MLSettings) -> Path:
        """Return the file's path. Raise `WeightsMissing` if it has not been downloaded."""
        target = self.target(settings)
        if not target.is_file():
            raise WeightsMissing(
                f"The weights {self.file_name} have not been downloaded yet. "
                "The first training with this backbone downloads them."
            )
        return target

    def ensure(self, settings: MLSettings, report: Callable[[int, int], None]) -> None:
        """Download the file if it is missing, calling report(bytes so far, bytes in total).

        Several processes may call this at once. Raise `DownloadFailed` if the download does not succeed.
        """
        target = self.target(settings)
        if target.is_file():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{self.file_name}.lock")):
            if not target.is_file():
                download(
                    f"{settings.weights_url}/{self.path}",
                    target,
                    report,
                    what=f"The weights {self.file_name}",
                    limit=LIMIT,
                    checksum=self.checksum,
                    otherwise=f"Or copy the file into the folder “{target.parent.name}” in the data folder yourself.",
                )
