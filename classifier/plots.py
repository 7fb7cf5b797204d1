"""Charts with axes as shapes of an SVG, drawn by the server: they need no script, and print well."""

from collections.abc import Sequence
from dataclasses import dataclass

from classifier.tables import Table

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 72, 28, 14, 54  # margins, where axes are written on

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`, with what is written on it, and where."""

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """A line through points; `style` is a number from 0 on, for its colour and its dashes."""

    name: str
    style: int
    points: str
    last: str = ""


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Plot:
    """A chart, ready to be drawn. `name` is that of its files."""

    name: str
    title: str
    description: str  # what it says, for those who do not see it
    x_title: str
    y_title: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    bars: list[Bar]
    mark: Point | None
    table: Table

    width, height, left, top = WIDTH, HEIGHT, LEFT, TOP
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    @property
    def middle(self) -> tuple[float, float]:
        """Return the middle of the drawing, where the titles of the axes stand."""
        return (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2


@dataclass(frozen=True)
class Frame:
    """The place of values in a drawing."""

    x: Axis
    y: Axis

    def at(self, x: float, y: float) -> Point:
        """Return the place of a point. What lies outside the axes is put on their edge."""
        return self._across(x), self._up(y)

    def _across(self, value: float) -> float:
        return round(LEFT + _share(self.x, value) * (WIDTH - LEFT - RIGHT), 1)

    def _up(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - _share(self.y, value) * (HEIGHT - TOP - BOTTOM), 1)

    def line(self, name: str, style: int, points: Sequence[Point], last: str = "") -> Line:
        return Line(name, style, " ".join(f"{x},{y}" for x, y in (self.at(*point) for point in points)), last)

    def bar(self, left: float, right: float, value: float, title: str) -> Bar:
        """Return a bar from the bottom up to a value."""
        (x, y), (end, ground) = self.at(left, value), self.at(right, self.y.low)
        return Bar(x + 0.5, y, round(end - x - 1, 1), round(ground - y, 1), title)

    def plot(
        self,
        name: str,
        title: str,
        description: str,
        *,
        table: Table,
        lines: list[Line],
        bars: Sequence[Bar] = (),
        mark: Point | None = None,
    ) -> Plot:
        """Return the chart with these axes."""
        x_ticks = [Tick(self._across(value), text) for value, text in self.x.ticks]
        y_ticks = [Tick(self._up(value), text) for value, text in self.y.ticks]
        return Plot(
            name, title, description, self.x.title, self.y.title, x_ticks, y_ticks, lines, list(bars), mark, table
        )


def _share(axis: Axis, value: float) -> float:
    return min(max((value - axis.low) / ((axis.high - axis.low) or 1), 0.0), 1.0)


def share_axis(title: str, low: float = 0.0) -> Axis:
    """Return an axis of shares up to 100 %."""
    ticks = [low + (1 - low) * step / 5 for step in range(6)]
    return Axis(title, low, 1.0, [(tick, f"{100 * tick:.0f} %") for tick in ticks])


def low_of(values: Sequence[float]) -> float:
    """Return where an axis of shares begins so that what differs can be seen."""
    least = min(values, default=0.0)
    return next((low for low in (0.9, 0.8, 0.5) if least >= low), 0.0)
