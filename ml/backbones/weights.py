"""Weights that no package carries: fetched when first needed, or put by hand where they would be fetched to.

`POETSWEB_WEIGHTS` names the folder and `WEIGHTS_URL` the site they come from; both are set by the settings, and child
processes inherit them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ml.download import download
from ml.errors import Unavailable
from ml.places import weights_folder

PUBLISHER = "https://storage.googleapis.com"
LIMIT = 2 * 2**30  # the largest known has 1.3 GB


class WeightsMissing(Unavailable):
    """A backbone's weights are not on this machine; the message says how to get them."""


@dataclass(frozen=True)
class PublishedWeights:
    path: str  # below the publisher's address
    checksum: str | None  # MD5 or SHA-256, hexadecimal; not every file has one

    @property
    def file_name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def address(self) -> str:
        return f"{os.environ.get('WEIGHTS_URL') or PUBLISHER}/{self.path}"

    @property
    def target(self) -> Path:
        return weights_folder() / self.file_name

    def find(self) -> Path:
        """Raises WeightsMissing."""
        if not self.target.is_file():
            raise WeightsMissing(
                f"The weights {self.file_name} are not here yet. The first training with them downloads them."
            )
        return self.target

    def ensure(self, report: Callable[[int, int], None]) -> None:
        """Fetch them unless they are there; several may call this at once. Raises DownloadFailed."""
        if self.target.is_file():
            return
        weights_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(weights_folder() / f".{self.file_name}.lock"):
            if not self.target.is_file():
                otherwise = f"Or put the file by hand into the folder “{weights_folder().name}” of the data folder."
                what = f"The weights {self.file_name}"
                download(
                    self.address,
                    self.target,
                    report,
                    what=what,
                    limit=LIMIT,
                    checksum=self.checksum,
                    otherwise=otherwise,
                )
