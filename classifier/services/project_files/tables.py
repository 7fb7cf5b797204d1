"""The tables of a project's file, as data: which rows go along, and which of their columns do not.

A column that a migration adds goes along by itself. Names of users go in the place of their ids.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db.models import ForeignKey, Model, Q, QuerySet

from classifier.models import (
    Alias,
    Change,
    CustomBackbone,
    DatasetVersion,
    Embedding,
    Finding,
    Image,
    ImageClass,
    ImageMeasures,
    Job,
    JobLogLine,
    ModelVersion,
    Project,
    Sample,
    SampleChange,
    Sweep,
    Upload,
    UploadItem,
)
from classifier.prepared import any_of
from classifier.services.portable.lines import AT_ONCE, writable_fields
from classifier.services.shards import read_vectors

USER, PROJECT = "user", "project"  # what a column names that is not in the file


@dataclass(frozen=True)
class Scope:
    """Which rows belong to the project, as far as it can be said before they are read.

    Attributes:
        project: its id.
        using: the alias of the connection that reads them.
        left_out: ids of images whose files are missing or damaged.
        keys: of the embeddings that go along.
        backbones: ids of the custom backbones that go along.
    """

    project: int
    using: str
    left_out: Sequence[int] = ()
    keys: Sequence[str] = ()
    backbones: Sequence[int] = ()


@dataclass(frozen=True)
class Column:
    """A column of the file. `names` is the table whose row it names, USER, PROJECT or ""."""

    name: str
    field: Any
    names: str = ""


def _read_values(rows: "QuerySet[Any]", names: list[str]) -> Iterable[tuple[Any, ...]]:
    return rows.values_list(*names).iterator(chunk_size=AT_ONCE)


def _read_embeddings(rows: "QuerySet[Any]", names: list[str]) -> Iterable[tuple[Any, ...]]:
    """Read embeddings with their vectors, also where those are in shards."""
    place = names.index("vector")
    for *values, vector in read_vectors([rows], *names[:place], *names[place + 1 :]):
        yield (*values[:place], vector.tobytes(), *values[place:])


@dataclass(frozen=True)
class Table:
    """A table of the file.

    Attributes:
        select: the rows that go along, without an order.
        left_out: names of columns that do not.
        only: names of columns that do, where most do not.
        has_ids: whether other tables name its rows.
        clean: returns what of a row is true on any site, by column.
        values: reads these columns of the rows.
    """

    name: str
    model: type[Model]
    select: Callable[[Scope], "QuerySet[Any]"]
    left_out: frozenset[str] = frozenset()
    only: frozenset[str] = field(default_factory=frozenset)
    has_ids: bool = True
    clean: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    values: Callable[["QuerySet[Any]", list[str]], Iterable[tuple[Any, ...]]] = _read_values

    def columns(self) -> list[Column]:
        """List the columns that go along, as the database has them."""
        found = (_describe(one) for one in writable_fields(self.model))
        return [column for column in found if column.names != PROJECT and self._takes(column)]

    def _takes(self, column: Column) -> bool:
        if column.field.primary_key:
            return self.has_ids
        return column.name not in self.left_out and (not self.only or column.name in self.only)

    def read(self, scope: Scope) -> "QuerySet[Any]":
        """Select the rows that go along, the oldest first."""
        return self.select(scope).using(scope.using).order_by("pk")


def _describe(one: Any) -> Column:
    related: Any = one.related_model
    if not isinstance(one, ForeignKey):
        return Column(one.attname, one)
    if related is User:
        return Column(one.name, one, USER)
    if related is Project:
        return Column(one.attname, one, PROJECT)
    return Column(one.attname, one, TABLE_OF.get(related, "?"))


def _kept_samples(scope: Scope) -> "QuerySet[Sample]":
    kept = Sample.objects.filter(project=scope.project, deleted_at=None)
    return kept.exclude(image__in=any_of(list(scope.left_out)))


def _images(scope: Scope) -> "QuerySet[Image]":
    return Image.objects.filter(pk__in=_kept_samples(scope).values("image"))


def _versions(scope: Scope) -> "QuerySet[ModelVersion]":
    return ModelVersion.every.filter(project=scope.project, deleted_at=None)


def _jobs(scope: Scope) -> "QuerySet[Job]":
    return Job.objects.filter(model_version__in=_versions(scope)).exclude(status__in=Job.OPEN)


def _sample_changes(scope: Scope) -> "QuerySet[SampleChange]":
    return SampleChange.objects.filter(change__project=scope.project, sample__in=_kept_samples(scope))


def _dismissed(scope: Scope) -> "QuerySet[Finding]":
    """Select what people have looked at; all else the next check finds again."""
    kept = Finding.objects.filter(Q(sample=None) | Q(sample__in=_kept_samples(scope)), project=scope.project)
    return kept.exclude(dismissed_at=None)


def _backbones(scope: Scope) -> "QuerySet[CustomBackbone]":
    return CustomBackbone.objects.filter(pk__in=list(scope.backbones))


_JOB = frozenset(
    (
        *("sweep_id", "kind", "number", "status", "config", "result", "state", "curve", "error"),
        *("created_by", "created_at", "started_at", "finished_at"),
    )
)
_TRASH = frozenset(["deleted_at"])
_STATE = ("event_files", "measured")  # of a job, that stays true when it has ended


def _clean_job(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out where a job's upload was, which a purge would delete, and what only the running job needed."""
    config = {name: value for name, value in row["config"].items() if name != "archive"}
    return {**row, "config": config, "state": {name: row["state"][name] for name in _STATE if name in row["state"]}}


# In the order in which they are brought in: a row names only rows before it.
TABLES = {
    table.name: table
    for table in (
        Table(
            "project",
            Project,
            lambda scope: Project.objects.filter(pk=scope.project),
            _TRASH | {"owner"},
            has_ids=False,
        ),
        Table("classes", ImageClass, lambda scope: ImageClass.objects.filter(project=scope.project)),
        # Those of the project, and those that belong to people: of whoever owns the project afterwards.
        Table(
            "backbones",
            CustomBackbone,
            lambda scope: _backbones(scope).filter(project=scope.project),
            frozenset(["job_id"]),
            has_ids=False,
        ),
        Table(
            "own_backbones",
            CustomBackbone,
            lambda scope: _backbones(scope).filter(project=None),
            frozenset(["job_id"]),
            has_ids=False,
        ),
        Table("images", Image, _images, frozenset(["created_at", "damaged_at"])),
        Table(
            "measures",
            ImageMeasures,
            lambda scope: ImageMeasures.objects.filter(image__in=_images(scope)),
            has_ids=False,
        ),
        Table(
            "embeddings",
            Embedding,
            lambda scope: Embedding.objects.filter(image__in=_images(scope), key__in=list(scope.keys)),
            frozenset(["shard_id"]),
            has_ids=False,
            values=_read_embeddings,
        ),
        Table(
            "uploads",
            Upload,
            lambda scope: Upload.objects.filter(project=scope.project),
            frozenset(["job_id", "heard_at"]),
        ),
        Table(
            "upload_items",
            UploadItem,
            lambda scope: UploadItem.objects.filter(upload__project=scope.project),
            frozenset(["picture"]),
            has_ids=False,
        ),
        Table("sweeps", Sweep, lambda scope: Sweep.objects.filter(pk__in=_jobs(scope).values("sweep"))),
        Table("jobs", Job, _jobs, only=_JOB, clean=_clean_job),
        Table("log_lines", JobLogLine, lambda scope: JobLogLine.objects.filter(job__in=_jobs(scope)), has_ids=False),
        Table("samples", Sample, _kept_samples, _TRASH),
        Table("findings", Finding, _dismissed, has_ids=False),
        Table("changes", Change, lambda scope: Change.objects.filter(project=scope.project)),
        Table("sample_changes", SampleChange, _sample_changes, has_ids=False),
        Table("dataset_versions", DatasetVersion, lambda scope: DatasetVersion.objects.filter(project=scope.project)),
        Table("model_versions", ModelVersion, _versions, _TRASH),
        Table("aliases", Alias, lambda scope: Alias.objects.filter(model_version__in=_versions(scope)), has_ids=False),
    )
}
TABLE_OF: dict[type[Model], str] = {table.model: table.name for table in TABLES.values() if table.has_ids}
