"""The tables of an evaluation."""

from collections.abc import Callable

from classifier.services.evaluations import Evaluated
from classifier.tables import Cell, Column, Table
from ml.errors import Refused
from ml.evaluation.curves import STEPS

MOST_IN_MATRIX = 1000  # classes: a million cells, most of them empty


class MatrixTooLarge(Refused):
    """The table of all cells would fill the memory."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"A table of {size:,} by {size:,} classes is too large for a file. Take “What is taken for what” instead: "
            "it has all cells that are not empty, but for the right answers."
        )


def _share(name: str, title: str) -> Column:
    return Column(name, title, is_share=True)


def classes_table(found: Evaluated) -> Table:
    """Return a row for each class, in the order of the head's outputs."""
    columns = [
        Column("class", "Class"),
        Column("pictures", "Pictures"),
        _share("precision", "Precision"),
        _share("recall", "Recall"),
        _share("recall_low", "Recall at least"),
        _share("recall_high", "Recall at most"),
        _share("f1", "F1"),
        _share("average_precision", "Average precision"),
    ]
    rows: list[list[Cell]] = [
        [name, one.n, one.precision, one.recall, *one.recall_interval, one.f1, one.average_precision]
        for name, one in zip(found.names, found.summary.classes, strict=True)
    ]
    return Table("classes", "Each class", columns, rows)


def confusions_table(found: Evaluated) -> Table:
    """Return a row for each two classes of which one was taken for the other, the most frequent first."""
    columns = [
        Column("true_class", "True class"),
        Column("predicted_class", "Taken for"),
        Column("pictures", "Pictures"),
    ]
    rows: list[list[Cell]] = [
        [found.names[true], found.names[taken], count] for true, taken, count in found.summary.confusions
    ]
    return Table("confusions", "What is taken for what", columns, rows)


def matrix_table(found: Evaluated) -> Table:
    """Return the confusion matrix: rows are true classes, columns predicted classes. Raise MatrixTooLarge."""
    size = len(found.names)
    if size > MOST_IN_MATRIX:
        raise MatrixTooLarge(size)
    counts = [[0] * size for _ in range(size)]
    for true, taken, count in found.summary.confusions:
        counts[true][taken] = count
    for place, one in enumerate(found.summary.classes):
        counts[place][place] = one.hits
    columns = [Column("true_class", "True class"), *(Column(name, name) for name in found.names)]
    return Table("matrix", "Confusion matrix", columns, [[n, *row] for n, row in zip(found.names, counts, strict=True)])


def reliability_table(found: Evaluated) -> Table:
    columns = [
        _share("from", "Surer than"),
        _share("to", "At most"),
        Column("pictures", "Pictures"),
        _share("mean_probability", "Sure of it"),
        _share("accuracy", "Right"),
    ]
    rows = [[one.low, one.high, one.n, one.confidence, one.accuracy] for one in found.summary.reliability]
    return Table("reliability", "How sure it is, and how often it is right", columns, rows)


def coverage_table(found: Evaluated) -> Table:
    columns = [_share("answered", "Answered"), _share("accuracy", "Right"), _share("threshold", "At least this sure")]
    rows = [[one.coverage, one.accuracy, one.threshold] for one in found.summary.coverage]
    return Table("coverage", "If it answers only where it is sure", columns, rows)


def thresholds_table(found: Evaluated, place: int) -> Table:
    """Return precision and recall of a class at each threshold."""
    curve, size = found.curve(place), found.summary.classes[place].n
    columns = [
        _share("threshold", "From"),
        Column("called", "Called so"),
        Column("right", "Right"),
        _share("precision", "Precision"),
        _share("recall", "Recall"),
    ]
    rows: list[list[Cell]] = [
        [step / STEPS, called, right, right / called if called else None, right / size if size else None]
        for step, (called, right) in enumerate(zip(curve.called, curve.right, strict=True))
    ]
    return Table("thresholds", f"Thresholds of “{found.names[place]}”", columns, rows)


TABLES: dict[str, Callable[[Evaluated], Table]] = {
    "classes": classes_table,
    "confusions": confusions_table,
    "matrix": matrix_table,
    "reliability": reliability_table,
    "coverage": coverage_table,
}
