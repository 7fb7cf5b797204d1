"""Represent a frozen dataset version as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Dataset:
    """A frozen dataset version.

    Attributes:
        digest: identifies the content; the same content has the same digest.
        classes: (class id, class name) in class order.
        rows: (image sha256, class index, split) in the order of the manifest.
        groups: of the pictures that are in one, by sha256; those of a group are not independent of each other.
    """

    digest: str
    classes: list[tuple[int, str]]
    rows: list[tuple[str, int, str]]
    groups: Mapping[str, str] = field(default_factory=dict)

    def sha256s(self, split: str | None = None) -> list[str]:
        """Return the sha256s of a split's pictures, or of all pictures."""
        return [row[0] for row in self.rows if split in (None, row[2])]

    def groups_of(self, split: str) -> list[str]:
        """Return the group of each picture of a split, in the order of `sha256s(split)`; its sha256 if it has none."""
        return [self.groups.get(sha256, sha256) for sha256 in self.sha256s(split)]

    def labels(self, split: str) -> NDArray[np.int64]:
        """Return the class indices of a split's pictures: int64 of shape (N,), in the order of `sha256s(split)`."""
        return np.array([row[1] for row in self.rows if row[2] == split], np.int64)
