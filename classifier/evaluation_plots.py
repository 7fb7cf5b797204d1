"""The charts of an evaluation."""

from classifier.evaluation_tables import coverage_table, reliability_table, thresholds_table
from classifier.percentages import as_percent
from classifier.plots import Frame, Plot, Point, low_of, share_axis
from classifier.services.evaluations import Evaluated
from ml.evaluation.curves import ClassCurve


def draw_reliability(found: Evaluated) -> Plot:
    """Draw how often it is right where it is so sure."""
    frame = Frame(share_axis("How sure it was"), share_axis("How often it was right"))
    bars = [
        frame.bar(
            one.low,
            one.high,
            one.accuracy,
            f"Surer than {as_percent(one.low, 0)}, at most {as_percent(one.high, 0)}: {one.n} pictures, "
            f"{as_percent(one.accuracy)} right",
        )
        for one in found.summary.reliability
        if one.accuracy is not None
    ]
    error = found.summary.calibration_error or 0.0
    return frame.plot(
        "reliability",
        "Can its probabilities be believed?",
        f"Bars of how often answers are right, by how sure they are. On average the two differ by {as_percent(error)}.",
        lines=[frame.line("as often as it is sure", 1, [(0, 0), (1, 1)])],
        bars=bars,
        table=reliability_table(found),
    )


def draw_coverage(found: Evaluated) -> Plot:
    """Draw the accuracy of the answers that it is surest of."""
    points = [(one.coverage, one.accuracy) for one in found.summary.coverage]
    frame = Frame(share_axis("Pictures that it answers"), share_axis("Right", low_of([y for _, y in points])))
    half = next((one for one in found.summary.coverage if one.coverage >= 0.5), None)
    said = f" Of the surer half, {as_percent(half.accuracy)} are right." if half else ""
    return frame.plot(
        "coverage",
        "What if it answers only where it is sure?",
        f"The accuracy of the answers that it is surest of, against how many these are.{said}",
        lines=[frame.line("right", 0, points)],
        table=coverage_table(found),
    )


THRESHOLD_FRAME = Frame(share_axis("Recall: found"), share_axis("Precision: right"))


def draw_precision_over_recall(found: Evaluated, place: int, curve: ClassCurve, threshold: int) -> Plot:
    """Draw precision against recall of a class, with the point of a threshold, in percent."""
    frame, scores = THRESHOLD_FRAME, found.summary.classes[place]
    area = scores.average_precision or 0.0
    return frame.plot(
        "thresholds",
        f"Precision and recall of “{found.names[place]}”",
        f"Precision against recall over all thresholds; the area below, the average precision, is {as_percent(area)}.",
        lines=[frame.line("precision", 0, list(zip(curve.recall, curve.precision, strict=True)))],
        mark=list_marks(curve, scores.n)[threshold],
        table=thresholds_table(found, place),
    )


def list_marks(curve: ClassCurve, size: int) -> list[Point | None]:
    """Return the place of each threshold in the chart of a class of so many pictures; None where nothing is called."""
    return [
        THRESHOLD_FRAME.at(right / size, right / called) if called and size else None
        for called, right in zip(curve.called, curve.right, strict=True)
    ]
