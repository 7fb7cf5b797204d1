"""Measure accuracy with few pictures: `python -m bench.few_shot FOLDER… [--draws N] [--backbone NAME]`.

“digits” in the place of a folder are those of scikit-learn.

Each FOLDER has a folder of pictures for each class. Of each class 5, 10 and 20 are drawn, and all others must be
classified. The recipe “auto” is held against a logistic regression of scikit-learn that is tuned on the same pictures,
and against gradient descent as TensorFlow for Poets did it, which keeps one picture in ten back.
"""

import argparse
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.none_of_these import embed, is_picture

EACH = (5, 10, 20)
DIGITS, DIGIT_SIZE = "digits", 112
HELD_BACK = 10  # of a hundred


def main(arguments: list[str]) -> None:
    """Measure, and print a line for each data set and number of pictures."""
    parser = argparse.ArgumentParser("python -m bench.few_shot", description="Measure accuracy with few pictures.")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--backbone", default="")
    flags = parser.parse_args(arguments)
    gains = []
    for folder in flags.folders:
        features, labels = embed_set(folder, flags.backbone)
        for each in EACH:
            if np.bincount(labels).min() <= each:
                continue  # none would be left to classify
            found = [_measure(features, labels, each, seed) for seed in range(flags.draws)]
            means = {name: 100 * float(np.mean([one[name] for one in found])) for name in found[0]}
            gains.append(means["auto"] - max(share for name, share in means.items() if name != "auto"))
            shown = ", ".join(f"{name} {share:.2f} %" for name, share in means.items())
            print(f"{Path(folder).name}, {each} of each class: {shown}; {gains[-1]:+.2f} against the best", flush=True)
    print(f"In the mean {np.mean(gains):+.2f} points against the best, at worst {min(gains):+.2f}.")


def embed_set(folder: str, backbone: str = "") -> tuple[Any, Any]:
    """Return features (N, F) and class indices (N,) of a folder’s pictures, or of DIGITS."""
    pictures, labels = _draw_digits() if folder == DIGITS else _read_folder(Path(folder))
    return embed(pictures, backbone), labels


def _read_folder(folder: Path) -> tuple[dict[str, bytes], Any]:
    files = [path for path in sorted(folder.glob("*/*")) if is_picture(path)]
    names = sorted({path.parent.name for path in files})
    labels = np.array([names.index(path.parent.name) for path in files])
    return {str(path): path.read_bytes() for path in files}, labels


def _draw_digits() -> tuple[dict[str, bytes], Any]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return {str(place): _draw_digit(pixels) for place, pixels in enumerate(digits.images)}, digits.target


def _draw_digit(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    grey = Image.fromarray((255 - pixels * 255 / 16).astype(np.uint8)).resize((DIGIT_SIZE, DIGIT_SIZE))
    grey.convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def _measure(features: Any, labels: Any, each: int, seed: int) -> dict[str, float]:
    from ml.training.config import TrainConfig
    from ml.training.head import LabelledFeatures
    from ml.training.recipes.registry import train_head

    random, classes = np.random.default_rng(seed), int(labels.max()) + 1
    drawn = np.concatenate([random.permutation(np.flatnonzero(labels == one))[:each] for one in range(classes)])
    rest = np.setdiff1d(np.arange(len(labels)), drawn)
    kept_back = np.arange(len(drawn)) % each < max(1, each * HELD_BACK // 100)
    splits = [LabelledFeatures(features[part], labels[part]) for part in (drawn[~kept_back], drawn[kept_back])]
    found = {}
    for name, config in (("auto", TrainConfig()), ("TensorFlow for Poets", TrainConfig(recipe="sgd", steps=4000))):
        head = train_head(*splits, classes, config, lambda *_, **__: None).head
        found[name] = float(np.mean(head.logits(features[rest]).argmax(axis=1) == labels[rest]))
    probe = _tuned_probe(each).fit(features[drawn], labels[drawn])
    return found | {"scikit-learn": float(probe.score(features[rest], labels[rest]))}


def _tuned_probe(each: int) -> Any:
    from sklearn.linear_model import LogisticRegressionCV

    return LogisticRegressionCV(Cs=np.logspace(-4, 3, 8), cv=min(5, each), max_iter=300)


if __name__ == "__main__":
    main(sys.argv[1:])
