"""The recipes, and training a head by one of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ml.training.config import TrainConfig
from ml.training.head import EmptySplit, Head, Look, Report, Split, TrainingDiverged, look_away, prepare_tensorflow
from ml.training.recipes.logistic_regression import train_auto
from ml.training.recipes.sgd import train_poets


def train_head(
    training: Split,
    validation: Split,
    classes: int,
    config: TrainConfig,
    report: Report,
    look: Look = look_away,
) -> Head:
    """Train by the config's recipe. `report("head", fraction, **point)` and `look` are called as it goes.

    A point is what `measure_point` gives; its step rises from call to call, and the last point is the
    returned head's. A class without pictures in a split is no obstacle. Raises EmptySplit, TrainingDiverged.
    """
    for name, split in (("training", training), ("validation", validation)):
        if not len(split.labels):
            raise EmptySplit(f"No picture is in the split {name}. Add pictures: three of each class will do.")
    prepare_tensorflow()
    recipe = {"auto": train_auto, "poets": train_poets}[config.recipe]
    with _blas_on_one_core():
        head = recipe(training, validation, classes, config, report, look)
    if not (np.isfinite(head.weights).all() and np.isfinite(head.bias).all()):
        raise TrainingDiverged("The training ran out of bounds. Choose a smaller learning rate.")
    return head


@contextmanager
def _blas_on_one_core() -> Iterator[None]:
    """The threads of NumPy's and SciPy's BLAS wait for work in a loop, on the cores that TensorFlow reckons on: each
    pass over the pictures would take half as long again."""
    import scipy.optimize  # noqa: F401 - what is not loaded yet cannot be held back
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
