"""Measure how many of swapped labels are found: `python -m bench.labels FOLDER [--repeats N] [--cleanlab]`.

FOLDER has a folder of pictures for each class. One label in ten is swapped, with another seed each time; of as many
pictures as were swapped, those that the audit suspects most, the share is told that truly were. With --cleanlab, which
must be installed for it, its rankings of the same probabilities are measured as well.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

SWAPPED = 0.1
Ranking = Callable[[Any, Any], Any]  # from labels (N,) and probabilities (N, C) to suspicion (N,)


def main(arguments: list[str]) -> None:
    """Measure, and print a line for each ranking."""
    parser = argparse.ArgumentParser("python -m bench.labels", description="Measure how swapped labels are found.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--cleanlab", action="store_true")
    flags = parser.parse_args(arguments)
    features, labels = _embed(flags.folder)
    rankings: dict[str, Ranking] = {} if not flags.cleanlab else _cleanlab_rankings()
    shares = [_measure(features, labels, seed, rankings) for seed in range(flags.repeats)]
    for name in shares[0]:
        found = [one[name] for one in shares]
        print(f"{name:32} {np.mean(found):.3f}  (from {np.min(found):.2f} to {np.max(found):.2f})")


def _embed(folder: Path) -> tuple[Any, Any]:
    """Return the features of the default backbone, (N, F), and the labels."""
    from ml.backbones.registry import DEFAULT_BACKBONE, get_backbone
    from ml.engines.embeddings import embed_pictures
    from ml.engines.loading import ensure_ready, load_engine
    from poetsweb.folders import ML

    files = sorted(path for path in folder.glob("*/*") if path.is_file())
    names = sorted({path.parent.name for path in files})
    with TemporaryDirectory() as prepared:
        backbone = get_backbone(DEFAULT_BACKBONE, ML)
        ensure_ready(backbone, Path(prepared))
        engine = load_engine(backbone, Path(prepared))
        parts = [vectors for _, vectors in embed_pictures([str(path) for path in files], _read, engine)]
    return np.concatenate(parts), np.array([names.index(path.parent.name) for path in files])


def _read(path: str) -> bytes:
    return Path(path).read_bytes()


def _measure(features: Any, labels: Any, seed: int, rankings: dict[str, Ranking]) -> dict[str, float]:
    from ml.audit.labels import judge_labels
    from ml.audit.vectors import make_vectors

    random, classes = np.random.default_rng(seed), int(labels.max()) + 1
    swapped = random.choice(len(labels), round(SWAPPED * len(labels)), replace=False)
    given = labels.copy()
    given[swapped] = (given[swapped] + random.integers(1, classes, len(swapped))) % classes
    names = [str(place) for place in range(len(labels))]
    judgement = judge_labels(make_vectors(features), given, names, classes)
    scores = {"the audit": judgement.suspicion}
    scores |= {name: rank(given, judgement.probabilities.astype(float)) for name, rank in rankings.items()}
    top = {name: np.argsort(-score, kind="stable")[: len(swapped)] for name, score in scores.items()}
    return {name: float(np.isin(places, swapped).mean()) for name, places in top.items()}


def _cleanlab_rankings() -> dict[str, Ranking]:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    def issues_first(labels: Any, probabilities: Any) -> Any:
        issues = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence")
        ranks = np.zeros(len(labels))
        ranks[issues] = np.arange(len(issues), 0, -1)
        return ranks

    methods = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    scored = {
        f"cleanlab {method}": lambda labels, probabilities, method=method: (
            -get_label_quality_scores(labels, probabilities, method=method)
        )
        for method in methods
    }
    return {**scored, "cleanlab find_label_issues": issues_first}


if __name__ == "__main__":
    main(sys.argv[1:])
