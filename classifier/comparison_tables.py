"""The tables of a comparison of two versions."""

from classifier.services.version_comparison import VersionComparison
from classifier.tables import Cell, Column, Table
from ml.evaluation.scores import ratio


def classes_table(found: VersionComparison) -> Table:
    """Return a row for each class, those that have become worse first."""
    columns = [
        Column("class", "Class"),
        Column("pictures", "Pictures"),
        Column("before", "Recall before", is_share=True),
        Column("after", "Recall after", is_share=True),
        Column("change", "Change", is_share=True),
    ]
    rows: list[list[Cell]] = [
        [one.name, one.n, ratio(one.before, one.n), ratio(one.after, one.n), one.change]
        for one in sorted(found.classes, key=lambda one: one.change or 0)
    ]
    return Table("classes", "Each class", columns, rows)
