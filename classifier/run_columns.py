"""The columns of the table of versions, as data: what each shows, and what it is sorted by."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.timezone import localtime

from classifier.models import ModelVersion
from classifier.percentages import as_percent
from classifier.tables import Cell, Column, Table
from ml.evaluation.scores import mean_of
from ml.training.config import describe_config
from ml.training.recipes.registry import RECIPES

Value = str | float | int | None


@dataclass(frozen=True)
class RunColumn:
    """A column. Shares are from 0 to 1."""

    name: str
    title: str
    value: Callable[[ModelVersion], Value]
    is_share: bool = False
    shown: Callable[[ModelVersion], str] | None = None  # where the value is not what people read
    wide: bool = False


def _accuracy(version: ModelVersion) -> str:
    found = version.accuracy
    if found.accuracy is None:
        return "–"
    low, high = (f"{100 * end:.1f}" for end in found.interval)
    crossed = ", cross-validated" if found.by == "cross_validation" else ""
    return f"{as_percent(found.accuracy)} ({low} to {high} %, N\u00a0=\u00a0{found.n:,}{crossed})"


def _balanced(version: ModelVersion) -> Value:
    return mean_of([one["recall"] for one in version.metrics.get("per_class", [])])


def _last(key: str) -> Callable[[ModelVersion], Value]:
    def read(version: ModelVersion) -> Value:
        curve = version.job.curve if version.job else []
        return next((point[key] for point in reversed(curve) if key in point), None)

    return read


def _seconds(version: ModelVersion) -> Value:
    job = version.job
    if job is None or job.started_at is None or job.finished_at is None:
        return None
    return round((job.finished_at - job.started_at).total_seconds(), 1)


def _recipe(version: ModelVersion) -> str:
    name = str(version.config.get("recipe", ""))
    return RECIPES[name].title if name in RECIPES else name


def _settings(version: ModelVersion) -> str:
    if "source" in version.config:
        return str(version.config["source"])
    return "; ".join(f"{label}: {value}" for label, value in describe_config(version.config))


def _created(version: ModelVersion) -> str:
    return date_format(localtime(version.created_at), "j M Y, H:i")


COLUMNS = {
    column.name: column
    for column in (
        RunColumn("accuracy", "Accuracy", lambda v: v.accuracy.accuracy, is_share=True, shown=_accuracy),
        RunColumn("balanced", "Balanced accuracy", _balanced, is_share=True),
        RunColumn("validation", "Validation accuracy", _last("validation_accuracy"), is_share=True),
        RunColumn("loss", "Validation loss", _last("validation_loss")),
        RunColumn("pictures", "Pictures", lambda v: v.dataset_version.total),
        RunColumn("classes", "Classes", lambda v: len(v.dataset_version.classes)),
        RunColumn("dataset", "Dataset version", lambda v: v.dataset_version.number),
        RunColumn("recipe", "Recipe", _recipe),
        RunColumn("backbone", "Backbone", lambda v: v.backbone),
        RunColumn("settings", "Settings", _settings, wide=True),
        RunColumn("seconds", "Seconds", _seconds),
        RunColumn("note", "Note", lambda v: v.note, wide=True),
        RunColumn("created", "Created", lambda v: v.created_at.timestamp(), shown=_created),
    )
}
USUAL = ("accuracy", "pictures", "recipe", "created")


def chosen_columns(query: QueryDict) -> list[RunColumn]:
    """Return the columns that the address names, in their own order; the usual ones where it names none."""
    asked = [name for name in query.getlist("column") if name in COLUMNS] or USUAL
    return [column for name, column in COLUMNS.items() if name in asked]


def sort_versions(versions: Iterable[ModelVersion], sort: str) -> list[ModelVersion]:
    """Return the versions, pinned ones first, by a column, or from the newest on. `-name` is from the largest on."""
    name, largest_first = sort.removeprefix("-"), sort.startswith("-")
    found = list(versions)
    if name in COLUMNS:
        value = COLUMNS[name].value
        found.sort(key=lambda version: _sortable(value(version)), reverse=largest_first)
        found.sort(key=lambda version: value(version) is None)  # what is not known comes last either way
    found.sort(key=lambda version: not version.pinned)
    return found


def _sortable(value: Value) -> tuple[float, str]:
    return (0.0, value.casefold()) if isinstance(value, str) else (float(value or 0), "")


def show(column: RunColumn, version: ModelVersion) -> str:
    """Return what the table shows."""
    if column.shown:
        return column.shown(version)
    value: Any = column.value(version)
    if value is None:
        return "–"
    if column.is_share:
        return as_percent(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def runs_table(versions: Iterable[ModelVersion]) -> Table:
    """Return all columns of all versions, to take away."""
    columns = [Column("version", "Version"), Column("name", "Name")]
    columns += [Column(column.name, column.title, is_share=column.is_share) for column in COLUMNS.values()]
    rows: list[list[Cell]] = [
        [version.number, version.name, *(_plain(column, version) for column in COLUMNS.values())]
        for version in versions
    ]
    return Table("versions", "Versions", columns, rows)


def _plain(column: RunColumn, version: ModelVersion) -> Cell:
    return version.created_at.isoformat() if column.name == "created" else column.value(version)
