"""The training curve as points of an SVG, drawn by the server: it needs no script and prints well."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from classifier.percentages import as_percent

WIDTH, HEIGHT = 560.0, 180.0
LOSS = "How far off the answers are: lower is better. If validation rises again, it begins to learn pictures by heart."
ACCURACY = "How many of the pictures that it is checked with are answered correctly: higher is better."


@dataclass(frozen=True)
class Line:
    name: str
    css: str
    points: str  # "x,y x,y ...", in a box of WIDTH x HEIGHT
    last: str


@dataclass(frozen=True)
class Chart:
    title: str
    about: str  # how to read it
    low: str
    high: str
    last_step: int
    unit: str  # of the steps
    lines: list[Line]


def draw_curve(curve: list[dict[str, Any]]) -> list[Chart]:
    """Draw the charts of the head over steps and of fine-tuning over epochs, each from two points on."""
    head = [point for point in curve if "step" in point]
    tuning = [point for point in curve if "epoch" in point]
    return [*_draw(head, "step", ""), *_draw(tuning, "epoch", " while fine-tuning")]


def _draw(curve: list[dict[str, Any]], unit: str, when: str) -> list[Chart]:
    """Draw loss and accuracy."""
    if len(curve) < 2:
        return []
    both = {"training_loss": "training", "validation_loss": "validation"}
    top = max(point[key] for point in curve for key in both if key in point) or 1.0
    return [
        _chart((f"Loss{when}", LOSS), curve, unit, both, top, lambda loss: f"{loss:.3f}"),
        _chart((f"Accuracy{when}", ACCURACY), curve, unit, {"validation_accuracy": "validation"}, 1.0, as_percent),
    ]


def _chart(
    words: tuple[str, str],
    curve: list[dict[str, Any]],
    unit: str,
    keys: dict[str, str],
    high: float,
    show: Callable[[float], str],
) -> Chart:
    """Draw a chart from 0 up. A point may lack a line's value: epoch 0 of fine-tuning has no training loss."""
    steps = [float(point[unit]) for point in curve]
    first, span = steps[0], (steps[-1] - steps[0]) or 1.0
    lines = []
    for key, name in keys.items():
        values = [(float(point[unit]), float(point[key])) for point in curve if key in point]
        places = [
            f"{(step - first) / span * WIDTH:.1f},{HEIGHT - min(value, high) / high * HEIGHT:.1f}"
            for step, value in values
        ]
        lines.append(Line(name, name, " ".join(places), show(values[-1][1])))
    return Chart(*words, show(0.0), show(high), int(steps[-1]), unit, lines)
