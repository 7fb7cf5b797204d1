"""Compare an export's answers with the site's, as its own program gives them for the files of all test pictures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.exports.registry import Bar, ExportFormat


@dataclass(frozen=True)
class Answers:
    """What is said of N pictures: probabilities (N, C), and whether each is none of the classes, bool (N,)."""

    probabilities: NDArray[np.float32]
    none_of_these: NDArray[np.bool_]


def certify(
    format: ExportFormat, site: Answers, file: Answers, labels: NDArray[np.int64], *, milliseconds: float
) -> dict[str, Any]:
    """Compare the answers of the site and of the file to the same N >= 1 pictures.

    `labels` are the true class indices (N,), `milliseconds` the time the file takes for a picture. Return the
    certificate as plain data: `passed` says whether the file may be used, and `reasons` why not, in sentences.
    """
    difference = np.abs(site.probabilities.astype(np.float64) - file.probabilities)
    answered, named = site.probabilities.argmax(axis=1), file.probabilities.argmax(axis=1)
    is_finite = bool(np.isfinite(file.probabilities).all())
    if not is_finite:
        difference = np.ones_like(difference)
    agreement, mean = float(np.mean(answered == named)), float(difference.mean())
    accuracy, site_accuracy = float(np.mean(named == labels)), float(np.mean(answered == labels))
    reasons = [] if is_finite else ["It returns values that are not numbers (NaN) or infinite."]
    reasons += _shortfalls(format.bar, agreement, mean, site_accuracy - accuracy, len(labels))
    refusals = float(np.mean(site.none_of_these == file.none_of_these))
    reasons += _refused_otherwise(format.bar, refusals, len(labels))
    return {
        "n": len(labels),
        "agreement": round(agreement, 6),
        "none_of_these_agreement": round(refusals, 6),
        "mean_difference": round(mean, 8),
        "largest_difference": round(float(difference.max()), 8),
        "accuracy": round(accuracy, 6),
        "site_accuracy": round(site_accuracy, 6),
        "milliseconds": round(milliseconds, 3),
        "passed": not reasons,
        "reasons": reasons,
    }


def _refused_otherwise(bar: Bar, agreement: float, count: int) -> list[str]:
    # As below, a single picture may lie on the threshold.
    required = min(bar.refusal_agreement, 1 - 1 / count)
    if round(agreement - required, 9) >= 0:
        return []
    return [
        f"It agrees with this site about “none of these” for {agreement:.1%} of the test pictures; "
        f"at least {required:.1%} are required."
    ]


def _shortfalls(bar: Bar, agreement: float, mean_difference: float, accuracy_loss: float, count: int) -> list[str]:
    reasons = []
    # One of fifty test pictures is already 2 %, and may be a near tie that falls the other way.
    may_be_lost = max(bar.accuracy_loss, 1 / count)
    if agreement < bar.agreement:
        reasons.append(
            f"It predicts the same class for {agreement:.1%} of the test pictures; "
            f"at least {bar.agreement:.1%} are required."
        )
    if mean_difference > bar.mean_difference:
        reasons.append(
            f"Its probabilities differ by {mean_difference:.4f} on average; at most {bar.mean_difference} is allowed."
        )
    if round(accuracy_loss - may_be_lost, 9) > 0:
        reasons.append(f"Its accuracy is {accuracy_loss:.1%} lower; at most {may_be_lost:.1%} is allowed.")
    return reasons
