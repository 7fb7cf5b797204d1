"""Measure how well probabilities are calibrated: `python -m bench.calibration FOLDER… [--draws N] [--share N]`.

Each FOLDER has a folder of pictures for each class; “digits” are those of scikit-learn. In each draw a share of the
pictures is learnt from and all others are answered. The answers of all draws are put together, as the expected
calibration error of a hundred answers is mostly chance: beside it stands what a perfectly calibrated classifier would
show on as many pictures.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench.few_shot import embed_set

CHANCES = 200  # simulated classifiers


def main(arguments: list[str]) -> None:
    """Measure, and print a line for each data set."""
    parser = argparse.ArgumentParser("python -m bench.calibration", description="Measure calibration.")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--share", type=int, default=60, help="per cent of each class that is learnt from")
    flags = parser.parse_args(arguments)
    for folder in flags.folders:
        features, labels = embed_set(folder)
        found = [_answer(features, labels, flags.share, seed) for seed in range(flags.draws)]
        told = {name: [np.concatenate([one[name][part] for one in found]) for part in (0, 1)] for name in found[0]}
        shown = ", ".join(f"{name} {100 * _error(*answers):.2f} %" for name, answers in told.items())
        confidence = told["calibrated"][1]
        alone = np.mean([_error(*one["calibrated"]) for one in found])
        chance = _by_chance(confidence[: len(confidence) // flags.draws])
        print(
            f"{Path(folder).name}: {shown} ({len(confidence)} answers); in a single draw {100 * alone:.2f} %, "
            f"of which {100 * chance:.2f} % by chance",
            flush=True,
        )


def _answer(features: Any, labels: Any, share: int, seed: int) -> dict[str, tuple[Any, Any]]:
    """Return whether each answer is right and how probable it is said to be, by what was done to the head."""
    from ml.training.calibration import cool, fit_temperature
    from ml.training.config import TrainConfig
    from ml.training.head import LabelledFeatures
    from ml.training.recipes.registry import train_head

    random, classes = np.random.default_rng(seed), int(labels.max()) + 1
    training = np.zeros(len(labels), bool)
    for label in range(classes):
        members = random.permutation(np.flatnonzero(labels == label))
        training[members[: len(members) * share // 100]] = True
    kept_back = training & (random.random(len(labels)) < 0.1)
    splits = [LabelledFeatures(features[part], labels[part]) for part in (training & ~kept_back, kept_back)]
    found = {}
    for name, config in (("auto", TrainConfig()), ("TensorFlow for Poets", TrainConfig(recipe="sgd", steps=4000))):
        fitted = train_head(*splits, classes, config, lambda *_, **__: None)
        found[f"{name}, as trained"] = _judge(fitted.head, features[~training], labels[~training])
        if name == "auto":
            head = cool(fitted.head, fit_temperature(fitted.out_of_sample))
            found["calibrated"] = _judge(head, features[~training], labels[~training])
    return found


def _judge(head: Any, features: Any, labels: Any) -> tuple[Any, Any]:
    probabilities = head.probabilities(features)
    return probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)


def _error(right: Any, confidence: Any) -> float:
    from ml.training.calibration import calibration_error

    return float(calibration_error(right, confidence) or 0.0)


def _by_chance(confidence: Any) -> float:
    """Return the mean error of classifiers that are right exactly as often as they say."""
    random = np.random.default_rng(0)
    return float(np.mean([_error(random.random(len(confidence)) < confidence, confidence) for _ in range(CHANCES)]))


if __name__ == "__main__":
    main(sys.argv[1:])
