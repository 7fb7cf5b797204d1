"""Weights that no package carries: downloaded when first needed, or put where they would be downloaded to by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ml.download import download
from ml.errors import Unavailable
from ml.settings import MLSettings

LIMIT = 2 * 2**30  # the largest known has 1.3 GB


class WeightsMissing(Unavailable):
    """A backbone's weights are not on this machine; the message says how to get them."""


@dataclass(frozen=True)
class PublishedWeights:
    """A file of weights below the publisher's address."""

    path: str
    checksum: str | None  # MD5 or SHA-256, hexadecimal; not every file has one

    @property
    def file_name(self) -> str:
        return self.path.rpartition("/")[2]

    def target(self, settings: MLSettings) -> Path:
        """Return where the file is, once it is there."""
        return settings.weights_dir / self.file_name

    def find(self, settings: MLSettings) -> Path:
        """Return the file's path. Raises WeightsMissing."""
        target = self.target(settings)
        if not target.is_file():
            raise WeightsMissing(
                f"The weights {self.file_name} have not been downloaded yet. The first training with them does that."
            )
        return target

    def ensure(self, settings: MLSettings, report: Callable[[int, int], None]) -> None:
        """Download the file unless it is there; several may call this at once. Raises DownloadFailed."""
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
                    otherwise=f"Or put the file into the folder “{target.parent.name}” of the data folder by hand.",
                )
