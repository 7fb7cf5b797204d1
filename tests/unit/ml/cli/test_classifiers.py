"""Test how `label_image` and `evaluate` report that a network somebody added has failed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.cli.classifiers import LabelFailed, _framing_of, _through
from ml.engines.confined import EngineFailed
from ml.images.rendering import Framing
from tests.pictures import make_jpeg


class Failing:
    """An engine whose process has ended."""

    input_size, features, framing = 16, 3, Framing.WHOLE

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise EngineFailed("The network did not process a picture.")


def test_network_that_does_not_answer_is_a_sentence() -> None:
    classify = _through(Failing)
    with pytest.raises(LabelFailed, match="did not process"):
        classify(make_jpeg(1))


def test_graphs_of_the_original_see_unsmoothed_pictures() -> None:
    """Make pictures square as the original's scripts did, but for graphs with one of our own backbones in them."""
    assert _framing_of(b"input ... final_result") == Framing.UNSMOOTHED
    assert _framing_of(b"input ... backbone/features ... final_result") == Framing.WHOLE
