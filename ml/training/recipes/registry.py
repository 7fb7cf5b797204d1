"""The recipes, and training a head by one of them. To add one: its file, and here its entry and its settings."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ml.training.head import (
    EmptySplit,
    Head,
    Report,
    Split,
    StepCallback,
    TrainingDiverged,
    no_callback,
    prepare_tensorflow,
)
from ml.training.recipes import logistic_regression, sgd
from ml.training.recipes.recipe import Recipe
from ml.training.setting import setting

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (logistic_regression.RECIPE, sgd.RECIPE)}


class AllRecipeSettings(sgd.SGDSettings, frozen=True, strict=True, extra="forbid"):
    """The recipe and its settings: derive from those of each recipe that has some."""

    recipe: str = setting(
        "auto",
        label="Recipe",
        help="How the last layer is trained.",
        group="recipe",
        choices={recipe.name: recipe.title for recipe in RECIPES.values()},
    )


def train_head(
    training: Split,
    validation: Split,
    classes: int,
    config: AllRecipeSettings,
    report: Report,
    callback: StepCallback = no_callback,
) -> Head:
    """Train a head by the recipe of a config. `report("head", fraction, **point)` and `callback` are called as it goes.

    A point is what `measure_point` gives; its step rises from call to call, and the last point is the
    returned head's. A class without pictures in a split is no obstacle. Raises EmptySplit, TrainingDiverged.
    """
    for name, split in (("training", training), ("validation", validation)):
        if not len(split.labels):
            raise EmptySplit(f"There are no pictures in the {name} split. Add pictures, at least three of each class.")
    prepare_tensorflow()
    with _blas_on_one_core():
        head = RECIPES[config.recipe].train(training, validation, classes, config, report, callback)
    if not (np.isfinite(head.weights).all() and np.isfinite(head.bias).all()):
        raise TrainingDiverged("The training diverged. Choose a smaller learning rate.")
    return head


@contextmanager
def _blas_on_one_core() -> Iterator[None]:
    """Hold the threads of NumPy's and SciPy's BLAS back.

    They wait for work in a loop, on the cores that TensorFlow counts on: each pass over the pictures would take half as
    long again.
    """
    import scipy.optimize  # noqa: F401 - what is not loaded yet cannot be held back
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
