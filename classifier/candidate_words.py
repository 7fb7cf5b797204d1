"""The candidate of a project in words."""

from classifier.services.candidates import CandidateState
from ml.training.evaluation import Estimate


def describe_figures(state: CandidateState) -> str:
    """Say what the last changes do to the accuracy: "about 76 % → about 81 % with your last 40 labels"."""
    candidate = state.candidate
    if candidate is None or not candidate.artifact_digest:
        return ""
    now, live = _about(candidate.accuracy), state.live
    if live is None or live.number != candidate.since or live.accuracy.accuracy is None:
        return f"{now} of new pictures would be recognised now"
    return f"{_about(live.accuracy)} → {now}{_with(candidate.labels, candidate.removed)}"


def describe_range(found: Estimate) -> str:
    """Say how sure the figure is."""
    if found.accuracy is None:
        return ""
    low, high = (round(100 * one) for one in found.interval)
    how = "cross-validated" if found.by == "cross_validation" else "test"
    rough = " More pictures would tell it more exactly." if found.is_rough else ""
    return f"Measured on {found.n:,} {how} pictures: between {low} and {high} % is likely.{rough}"


def _about(found: Estimate) -> str:
    return "an unknown share" if found.accuracy is None else f"about {100 * found.accuracy:.0f} %"


def _with(labels: int, removed: int) -> str:
    parts = []
    if labels:
        parts.append(f"with your last {'label' if labels == 1 else f'{labels:,} labels'}")
    if removed:
        parts.append(f"without {'a picture' if removed == 1 else f'{removed:,} pictures'}")
    return f" {' and '.join(parts)}" if parts else ""
