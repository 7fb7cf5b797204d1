"""Register the recipes, and train a head with one of them.

To add a recipe, add its file, and here its entry and its settings.
"""

import numpy as np

from ml.blas import blas_on_one_core
from ml.training.head import (
    EmptySplit,
    Fitted,
    LabelledFeatures,
    Report,
    StepCallback,
    TrainingDiverged,
    no_callback,
)
from ml.training.recipes import logistic_regression, sgd
from ml.training.recipes.recipe import Recipe
from ml.training.setting import setting

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (logistic_regression.RECIPE, sgd.RECIPE)}


class AllRecipeSettings(sgd.SGDSettings, frozen=True, strict=True, extra="forbid"):
    """The choice of the recipe and the settings of all recipes, inherited from the settings class of each recipe."""

    recipe: str = setting(
        "auto",
        label="Recipe",
        help="How the last layer is trained.",
        group="recipe",
        choices={recipe.name: recipe.title for recipe in RECIPES.values()},
    )


def train_head(
    training: LabelledFeatures,
    validation: LabelledFeatures,
    classes: int,
    config: AllRecipeSettings,
    report: Report,
    callback: StepCallback = no_callback,
    *,
    keep_validation: bool = False,
) -> Fitted:
    """Train a head with the recipe of a config, and return it.

    `report("head", fraction, **point)` and `callback` are called as it goes. A point is what `measure_point` returns;
    its step rises from call to call, and the last point is the returned head's. A class may have no pictures in a
    split. Without any validation pictures there may be no points, and nothing is chosen by them. With
    `keep_validation` the head will not have seen the validation pictures.

    Raise `EmptySplit` if there are no pictures to train on, or none to validate on and they are to be kept, and
    `TrainingDiverged` if the head is not finite.
    """
    if not len(training.labels):
        raise EmptySplit("training")
    if not len(validation.labels) and keep_validation:
        raise EmptySplit("validation")
    with blas_on_one_core():
        fitted = RECIPES[config.recipe].train(
            training, validation, classes, config, report, callback, keep_validation=keep_validation
        )
    if not (np.isfinite(fitted.head.weights).all() and np.isfinite(fitted.head.bias).all()):
        raise TrainingDiverged("The training diverged. Choose a smaller learning rate.")
    return fitted
