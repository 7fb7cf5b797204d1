"""Find out on a project's own test pictures which range an imported classifier expects."""

from pathlib import Path

import numpy as np
from django.conf import settings

from ml.datasets.dataset import Dataset
from ml.datasets.splits import TEST
from ml.images.augmentation import load_stored
from ml.model_import.opening import OpenedNetwork
from ml.model_import.ranges import ASSUMED
from ml.model_import.trial import PICTURES, choose_range
from worker.features import read_picture_file


def try_ranges(opened: OpenedNetwork, dataset: Dataset, scratch: Path) -> tuple[str, int]:
    """Return the best range for a classifier whose file did not tell, and on how many pictures that was seen.

    Return its own and 0 if the file did tell, or if there are no test pictures.
    """
    spec, labels = opened.spec, dataset.labels(TEST)
    if opened.range_reason != ASSUMED or not len(labels):
        return spec.range, 0
    rows = np.arange(0, len(labels), -(-len(labels) // PICTURES))
    sha256s = dataset.sha256s(TEST)
    chosen = [load_stored(sha256s[row], read_picture_file, spec.input_size, framing=spec.framing) for row in rows]
    unconfined = settings.ML.unconfined_networks
    return choose_range(opened, np.stack(chosen), labels[rows], scratch, unconfined=unconfined), len(rows)
