"""The chart of how accuracy grows with the pictures, on the page of what may be wrong with them."""

from classifier.percentages import as_percent
from classifier.plots import Axis, Frame, Plot, low_of, share_axis
from classifier.tables import Column, Table
from ml.audit.learning_curve import LearningCurve


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
    named = [("measured", point) for point in measured] + [("expected", point) for point in expected[1:]]
    rows = [(how, pictures, accuracy) for how, (pictures, accuracy) in named]
    columns = [Column("how", "How"), Column("pictures", "Pictures"), Column("accuracy", "Right", is_share=True)]
    return frame.plot(
        "learning-curve",
        "Would more pictures help?",
        f"How many answers are right, by how many pictures were learnt from: {as_percent(measured[-1][1])} with all.",
        lines=lines,
        table=Table("learning-curve", "Would more pictures help?", columns, rows),
    )
