"""Tables and charts: no cell of a file is run as a formula, and nothing is drawn outside of its axes."""

import csv
import io
import json
from xml.etree import ElementTree

from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from classifier.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Frame, low_of, share_axis
from classifier.tables import Column, Table

CELLS = st.one_of(st.none(), st.integers(-(10**9), 10**9), st.floats(0, 1), st.text(max_size=12))


def table(*cells: object) -> Table:
    return Table("t", "T", [Column(f"c{place}", "C") for place in range(len(cells))], [cells])  # type: ignore[list-item]


@given(st.lists(CELLS, min_size=1, max_size=4))
def test_no_text_in_a_csv_is_a_formula(cells: list[object]) -> None:
    (_, row) = csv.reader(io.StringIO(table(*cells).as_csv(), newline=""))
    assert len(row) == len(cells)
    for cell, written in zip(cells, row, strict=True):
        if isinstance(cell, str):
            assert not written.startswith(("=", "+", "-", "@", "\t", "\r"))
        elif cell is not None:
            assert float(written) == cell  # a negative number stays a number


def test_json_keeps_what_is_unknown() -> None:
    assert json.loads(json.dumps(table(None, "=1", 0.5).as_records())) == [{"c0": None, "c1": "=1", "c2": 0.5}]


def test_no_column_hides_another_of_its_name() -> None:
    columns = [Column(name, "") for name in ("true_class", "cat", "true_class", "cat", "cat (2)")]
    assert Table("t", "T", columns, [[1, 2, 3, 4, 5]]).as_records() == [
        {"true_class": 1, "cat": 2, "true_class (2)": 3, "cat (2)": 4, "cat (2) (2)": 5}
    ]


def test_page_shows_shares_in_percent() -> None:
    columns = [Column("share", "Share", is_share=True), Column("n", "N")]
    assert Table("t", "T", columns, [[0.5, 1234], [None, None]]).shown_rows() == [["50.0 %", "1,234"], ["–", "–"]]


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=20))
def test_lines_stay_within_the_axes(points: list[tuple[float, float]]) -> None:
    line = Frame(share_axis("x"), Axis("y", 0.0, 0.0, [])).line("l", 0, points)
    for x, y in (map(float, point.split(",")) for point in line.points.split()):
        assert LEFT <= x <= WIDTH - RIGHT
        assert TOP <= y <= HEIGHT - BOTTOM


def test_file_of_a_chart_is_an_svg_of_its_own() -> None:
    """Names of classes come from people: they are text, whatever they look like."""
    frame = Frame(share_axis("x"), share_axis("y", 0.5))
    plot = frame.plot(
        "p", "<script>", "a & b", table=table(1), lines=[frame.line("</svg>", 0, [(0, 0.5), (1, 1)])], mark=(9.0, 9.0)
    )
    drawn = ElementTree.fromstring(render_to_string("classifier/_plot_svg.html", {"plot": plot, "alone": True}).strip())
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}title")] == ["<script>"]
    assert not list(drawn.iter("{http://www.w3.org/2000/svg}script"))


def test_axis_begins_where_differences_can_be_seen() -> None:
    assert [low_of(values) for values in ([0.95, 1.0], [0.85], [0.6], [0.2, 0.99], [])] == [0.9, 0.8, 0.5, 0.0, 0.0]
