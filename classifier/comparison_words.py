"""A comparison of two versions in words."""

from classifier.services.version_comparison import VersionComparison


def describe_verdict(found: VersionComparison, before: int, after: int) -> str:
    """Say whether one version is better than the other, by their numbers."""
    verdict = found.verdict
    if not found.n:
        return "They were tested on different pictures, so they cannot be compared."
    if not verdict.differing:
        return "No picture tells them apart: they are right and wrong on the same ones."
    if verdict.better is None:
        only = "only one picture tells" if verdict.differing == 1 else f"only {verdict.differing} pictures tell"
        return f"Too few pictures to tell: {only} them apart."
    if not verdict.better:
        return f"No clear difference: if they were equally good, chance alone would show as much {_often(verdict.p)}."
    better = after if verdict.better == "after" else before
    return f"Version {better} is better: if they were equally good, chance alone would show this {_often(verdict.p)}."


def _often(p: float) -> str:
    """Say a probability as how often something happens: 0.005 -> "in 1 of 200 comparisons"."""
    if p >= 0.995:
        return "nearly always"
    if p > 0.1:
        return f"in {100 * p:.0f} of 100 comparisons"
    if p < 1e-6:
        return "in less than 1 of a million comparisons"
    number = float(f"{1 / p:.2g}")
    return f"in 1 of {number:,.0f} comparisons"
