"""Whether an exported file answers as the site does, from all test pictures sent through the file itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.exports import ExportFormat


def certify(
    format: ExportFormat,
    site: NDArray[np.float32],
    file: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    milliseconds: float,
) -> dict[str, Any]:
    """Compare answers. site, file: probabilities (N, C) of the same N >= 1 pictures; labels: (N,).

    `passed` says whether the file may be used, `reasons` why not, in sentences.
    """
    difference = np.abs(site.astype(np.float64) - file)
    answered, named = site.argmax(axis=1), file.argmax(axis=1)
    agreement, mean = float(np.mean(answered == named)), float(difference.mean())
    reasons = []
    if not np.isfinite(file).all():
        reasons.append("It gives numbers that are none.")
        mean, difference = 1.0, np.ones_like(difference)
    if agreement < format.agreement:
        reasons.append(f"It agrees on {agreement:.1%} of the test pictures; {format.agreement:.1%} are needed.")
    if mean > format.mean_difference:
        reasons.append(f"Its probabilities differ by {mean:.4f} in the mean; at most {format.mean_difference} may.")
    return {
        "n": len(labels),
        "agreement": round(agreement, 6),
        "mean_difference": round(mean, 8),
        "largest_difference": round(float(difference.max()), 8),
        "accuracy": round(float(np.mean(named == labels)), 6),
        "site_accuracy": round(float(np.mean(answered == labels)), 6),
        "milliseconds": round(milliseconds, 3),
        "passed": not reasons,
        "reasons": reasons,
    }
