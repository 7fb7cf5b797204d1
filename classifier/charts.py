"""The training curve as points of an SVG, drawn by the server: it needs no script and prints well."""

from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 560.0, 180.0


@dataclass(frozen=True)
class Line:
    name: str
    css: str
    points: str  # "x,y x,y ...", in a box of WIDTH x HEIGHT
    last: str


@dataclass(frozen=True)
class Chart:
    title: str
    low: str
    high: str
    last_step: int
    lines: list[Line]


def draw_curve(curve: list[dict[str, Any]]) -> list[Chart]:
    """Loss and accuracy against steps; nothing before there are two points."""
    if len(curve) < 2:
        return []
    losses = [point[key] for point in curve for key in ("training_loss", "validation_loss")]
    top = max(losses) or 1.0
    return [
        _chart("Loss", curve, {"training_loss": "training", "validation_loss": "validation"}, 0.0, top, "{:.3f}"),
        _chart("Accuracy on validation", curve, {"validation_accuracy": "validation"}, 0.0, 1.0, "{:.1%}"),
    ]


def _chart(title: str, curve: list[dict[str, Any]], keys: dict[str, str], low: float, high: float, form: str) -> Chart:
    steps = [float(point["step"]) for point in curve]
    first, span = steps[0], (steps[-1] - steps[0]) or 1.0
    lines = []
    for key, name in keys.items():
        values = [float(point[key]) for point in curve]
        places = [
            f"{(step - first) / span * WIDTH:.1f},{HEIGHT - (min(value, high) - low) / (high - low) * HEIGHT:.1f}"
            for step, value in zip(steps, values, strict=True)
        ]
        lines.append(Line(name, name, " ".join(places), form.format(values[-1])))
    return Chart(title, form.format(low), form.format(high), int(steps[-1]), lines)
