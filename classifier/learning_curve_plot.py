"""The chart of how accuracy grows with the pictures, on the page of what may be wrong with them."""

from classifier.percentages import as_percent
from classifier.plots import Axis, Frame, Plot, low_of, share_axis
from classifier.tables import Column, Table
from ml.audit.learning_curve import LearningCurve

TITLE = "Would more pictures help?"
COLUMNS = [Column("how", "How"), Column("pictures", "Pictures"), Column("accuracy", "Right", is_share=True)]


def draw_learning_curve(curve: LearningCurve) -> Plot | None:
    """Draw the curve and what is expected; None if there are too few pictures for one."""
    if len(curve.points) < 2:
        return None
    measured = [(point.pictures, point.accuracy) for point in curve.points]
    expected = [measured[-1], (curve.twice.pictures, curve.twice.accuracy)] if curve.twice else []
    most = (expected or measured)[-1][0]
    ticks = [(point[0], f"{point[0]:,}") for point in ([*measured[-2:], *expected[1:]])]
    frame = Frame(Axis("Pictures learnt from", 0, most, ticks), share_axis("Right", low_of([y for _, y in measured])))
    lines = [frame.line("measured", 0, measured)]
    if expected:
        lines.append(frame.line("expected", 1, expected))
    return frame.plot(
        "learning-curve",
        TITLE,
        f"How many answers are right, by how many pictures were learnt from: {as_percent(measured[-1][1])} with all.",
        lines=lines,
        table=learning_curve_table(curve),
    )


def learning_curve_table(curve: LearningCurve) -> Table:
    """Return the points of the curve; without rows if there are too few pictures for one."""
    points = [("measured", point) for point in curve.points]
    if curve.twice:
        points.append(("expected", curve.twice))
    return Table("learning-curve", TITLE, COLUMNS, [(how, point.pictures, point.accuracy) for how, point in points])
