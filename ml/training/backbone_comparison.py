"""Compare backbones on the same pictures, by what heads answer to those that they have not learnt from.

For each backbone a head of the recipe “auto” is cross-validated, on the same folds, so that two backbones can be
compared picture by picture (McNemar's test).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ml.blas import blas_on_one_core
from ml.errors import Refused
from ml.training.cross_validation import deal_folds
from ml.training.head import Floats, Ints, LabelledFeatures
from ml.training.out_of_distribution import even_share
from ml.training.recipes.logistic_regression import LEAST_FOLDS, train_auto
from ml.training.recipes.recipe import RecipeSettings


class TooFewPictures(Refused):
    """There is nothing to choose from, or a class cannot be dealt into two folds."""

    def __init__(self) -> None:
        super().__init__("Networks can be compared once there are two classes with at least two different photos each.")


def choose_pictures(labels: Ints, groups: Sequence[str]) -> Ints:
    """Return the places of some pictures to compare by, as many of each class as there are. Raise TooFewPictures.

    Args:
        labels: class indices (N,).
        groups: (N,), of each picture; no two that belong together may have different ones.
    """
    chosen = even_share(labels)
    named = [groups[int(place)] for place in chosen]
    if len(np.unique(labels)) < 2 or deal_folds(labels[chosen], named, LEAST_FOLDS) is None:
        raise TooFewPictures
    return chosen


def judge_backbone(
    features: Floats, labels: Ints, groups: Sequence[str], classes: int, report: Callable[[float], None]
) -> NDArray[np.bool_]:
    """Return which pictures are answered rightly by heads that have not seen them, (K,): all, or some of very many.

    They are the same ones for every backbone.

    Args:
        features: float32 (N, F), of the pictures that `choose_pictures` returned.
        labels, groups: theirs.
        classes: how many there are.
        report: called with the share that is done.
    """

    def tell(stage: str, fraction: float, **point: float) -> None:
        report(fraction)

    pictures = LabelledFeatures(features, labels, groups=list(groups))
    nothing = LabelledFeatures(features[:0], labels[:0], groups=[])
    with blas_on_one_core():
        judged = train_auto(pictures, nothing, classes, RecipeSettings(), tell, _ignore).out_of_sample
    return np.asarray(judged.logits.argmax(axis=1) == judged.labels)


def _ignore(*_: object, **__: object) -> None:
    """Keep nothing of a step of the search."""
