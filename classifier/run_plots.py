"""The curves of several trainings in one chart."""

from collections.abc import Sequence
from typing import Any

from classifier.models import ModelVersion
from classifier.percentages import as_percent
from classifier.plots import Axis, Frame, Plot, low_of, share_axis
from classifier.tables import Cell, Column, Table

MOST = 6  # lines that can be told apart
Curve = list[tuple[float, float]]


def draw_runs(versions: Sequence[ModelVersion]) -> list[Plot]:
    """Draw validation accuracy and validation loss of at most MOST versions over the steps of their heads."""
    drawn = versions[:MOST]
    return [plot for key in ("validation_accuracy", "validation_loss") if (plot := _draw(drawn, key)) is not None]


def list_without_curve(versions: Sequence[ModelVersion]) -> list[ModelVersion]:
    """List those that have no curve to draw, as imported ones."""
    return [version for version in versions if len(_curve(version, "validation_accuracy")) < 2]


def _curve(version: ModelVersion, key: str) -> Curve:
    points: list[dict[str, Any]] = version.job.curve if version.job else []
    return [(float(point["step"]), float(point[key])) for point in points if "step" in point and key in point]


def _draw(versions: Sequence[ModelVersion], key: str) -> Plot | None:
    curves = [(version, curve) for version in versions if len(curve := _curve(version, key)) > 1]
    if not curves:
        return None
    frame, is_share = _frame(key, [curve for _, curve in curves]), key == "validation_accuracy"
    lines = [
        frame.line(
            f"Version {version.number}", place, curve, as_percent(curve[-1][1]) if is_share else f"{curve[-1][1]:.3f}"
        )
        for place, (version, curve) in enumerate(curves)
    ]
    said = "; ".join(f"{line.name} ends at {line.last}" for line in lines)
    return frame.plot(
        key, frame.y.title, f"{frame.y.title} over the steps. {said}.", table=_table(key, curves), lines=lines
    )


def _frame(key: str, curves: Sequence[Curve]) -> Frame:
    values = [value for curve in curves for _, value in curve]
    if key == "validation_accuracy":
        return Frame(_steps(curves), share_axis("Validation accuracy", low_of(values)))
    top = max(values) or 1.0
    return Frame(
        _steps(curves), Axis("Validation loss", 0.0, top, [(top * n / 4, f"{top * n / 4:.2f}") for n in range(5)])
    )


def _steps(curves: Sequence[Curve]) -> Axis:
    last = max(curve[-1][0] for curve in curves) or 1.0
    return Axis("Step", 0.0, last, [(last * n / 4, f"{last * n / 4:,.0f}") for n in range(5)])


def _table(key: str, curves: Sequence[tuple[ModelVersion, Curve]]) -> Table:
    columns = [Column("version", "Version"), Column("step", "Step"), Column(key, key.replace("_", " ").capitalize())]
    rows: list[list[Cell]] = [[version.number, int(step), value] for version, curve in curves for step, value in curve]
    return Table(key, key.replace("_", " ").capitalize(), columns, rows)
