"""A frozen dataset version as plain data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Dataset:
    """A frozen dataset version. `rows` are (sha256, class index, split), in the order of the manifest."""

    digest: str
    classes: list[tuple[int, str]]
    rows: list[tuple[str, int, str]]

    def sha256s(self, split: str | None = None) -> list[str]:
        """Of all pictures, or of a split's."""
        return [row[0] for row in self.rows if split in (None, row[2])]

    def labels(self, split: str) -> NDArray[np.int64]:
        """Class indices of a split's pictures."""
        return np.array([row[1] for row in self.rows if row[2] == split], np.int64)
