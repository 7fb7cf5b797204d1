"""Which samples, and in which order: one filter behind the grid, its actions on all that match, the API and downloads.

The fields of `SampleFilter` are the parameters of the address: what is not the default is in it, and nothing else.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from django.db.models import F, Q, QuerySet
from django.http import QueryDict
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from classifier.models import ModelVersion, Project, Sample
from classifier.parsing import parse_number
from classifier.prepared import any_of
from classifier.services.audits import list_findings
from classifier.services.model_versions import load_evaluation
from classifier.services.similar import list_similar
from ml.datasets.groups import SAME_PHOTO
from ml.errors import UserError

Id = Annotated[int, Field(ge=0, lt=2**63)]
Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(9000, 1, 1))]  # the days beside it are days, too


class BadFilter(UserError):
    """The address asks for something that no filter knows. The message is a sentence for the user."""

    status = 422


@dataclass(frozen=True)
class Sort:
    """An order of samples: by a field and then by id, in the same direction."""

    name: str
    title: str
    field: str = ""  # of the sample, or of its audit; by the id alone without one
    descending: bool = False

    @property
    def by_audit(self) -> bool:
        """Return whether samples that no audit has seen have no place in it."""
        return self.field.startswith("audit__")

    def reversed(self) -> "Sort":
        return replace(self, descending=not self.descending)


SORTS = {
    sort.name: sort
    for sort in (
        Sort("newest", "Newest first", descending=True),
        Sort("oldest", "Oldest first"),
        Sort("name", "File name", "name_start"),
        Sort("unsure", "Least certain first", "audit__uncertainty", descending=True),
        Sort("sure", "Most certain first", "audit__confidence", descending=True),
        Sort("odd", "Most unusual first", "audit__outlier_score", descending=True),
    )
}
SPLITS = Literal["training", "validation", "test", "none"]


class SampleFilter(BaseModel):
    """Which samples of a project are meant. Fields that are left out leave nothing out, but for `deleted`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_id: Id | None = Field(None, description="only those of this class")
    unlabelled: bool = Field(False, description="only those without a class")
    deleted: bool = Field(False, description="those in the trash, and no others")
    name: str = Field("", max_length=200, description="a part of the file's name")
    split: SPLITS | None = Field(None, description="“none” for those that no training has seen yet")
    upload: Id | None = Field(None, description="only those that came with this upload")
    group: str = Field("", max_length=200, description="of what shows the same thing")
    tag: str = Field("", max_length=50)
    since: Day | None = Field(None, description="uploaded on this day or later")
    until: Day | None = Field(None, description="uploaded on this day or earlier")
    smaller_than: Id | None = Field(None, description="in pixels, the shorter side")
    duplicate: bool = Field(False, description="only pictures that show the same photo as another one")
    finding: str = Field("", max_length=20, description="only those with an open finding of this kind of the audit")
    right: Id | None = Field(None, description="test pictures that this model version classifies correctly")
    wrong: Id | None = Field(None, description="test pictures that this model version classifies wrongly")
    like: Id | None = Field(None, description="those that look most like this sample, in that order")
    predicted: Id | None = Field(None, description="the class that the version in `right` or `wrong` gives them")
    sort: str = Field("newest", description=", ".join(SORTS))

    @field_validator("sort")
    @classmethod
    def _known(cls, sort: str) -> str:
        if sort not in SORTS:
            raise ValueError(f"choose one of {', '.join(SORTS)}")
        return sort

    @field_validator("name", "group", "tag", "finding")
    @classmethod
    def _storable(cls, text: str) -> str:
        return text.replace("\0", "\ufffd").strip()

    @property
    def order(self) -> Sort:
        return SORTS[self.sort]

    def with_changes(self, **changes: Any) -> "SampleFilter":
        """Return the filter with other values for some fields."""
        return self.model_copy(update=changes)

    def as_query(self) -> str:
        """Return the filter as the query of an address; empty for the one that leaves nothing out."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        return urlencode({name: "true" if value is True else value for name, value in said.items()})

    @property
    def narrows(self) -> bool:
        """Return whether it leaves out anything but the trash."""
        return bool(self.model_dump(exclude_defaults=True).keys() - {"sort"})


def parse_filter(query: QueryDict, *, ignored: tuple[str, ...] = ()) -> SampleFilter:
    """Read the filter from an address. A field that is empty is left out. Raise BadFilter."""
    said = {name: query[name] for name in query if name not in ignored and query[name] != ""}
    try:
        return SampleFilter.model_validate(said)
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            raise BadFilter(f"There is no filter “{name[:50]}”.") from None
        raise BadFilter(f"The filter “{name[:50]}” cannot be read: {problem['msg']}.") from None


def select_samples(project: Project, wanted: SampleFilter) -> QuerySet[Sample]:
    """Select the samples that match, in no order. Raise BadFilter."""
    found = Sample.objects.filter(project=project, deleted_at__isnull=not wanted.deleted)
    for name, value in wanted.model_dump(exclude_defaults=True).items():
        if name in _CONDITIONS:
            found = found.filter(_CONDITIONS[name](value))
    if wanted.like is not None:
        found = found.filter(pk__in=list_similar(project, wanted.like))
    if wanted.finding:
        found = found.filter(pk__in=list_findings(project, wanted.finding).order_by().values("sample"))
    for name, version in (("right", wanted.right), ("wrong", wanted.wrong)):
        if version is not None:
            judged = _judged(project, version, right=name == "right", predicted=wanted.predicted)
            found = found.filter(image__sha256__in=any_of(judged))
    return found.order_by()


def sort_samples(project: Project, samples: QuerySet[Sample], sort: Sort) -> QuerySet[Sample]:
    """Put samples of the project in an order. Those without what they are sorted by are left out."""
    if not sort.field:
        return samples.order_by("-pk" if sort.descending else "pk")
    if sort.by_audit:  # the index of the audits has the project as well, and their id, which is the sample's
        samples = samples.filter(**{f"{sort.field}__isnull": False, "audit__project": project})
    sign, key = "-" if sort.descending else "", _key(sort)
    return samples.annotate(sorted_by=F(sort.field)).order_by(f"{sign}{sort.field}", f"{sign}{key}")


def _key(sort: Sort) -> str:
    return "audit__sample_id" if sort.by_audit else "pk"


def page_after(project: Project, wanted: SampleFilter, cursor: str, size: int) -> tuple[list[Sample], str]:
    """Return a page of the samples that match, with their images and classes, and the cursor of the next page.

    It is empty where there is none. By key rather than offset: page 300 costs what page 1 costs. Raise BadFilter for
    what is no cursor.
    """
    sort, found = wanted.order, select_samples(project, wanted).select_related("image", "image_class")
    if wanted.like is not None:
        return _page_alike(_sort_alike(project, wanted, found), cursor, size)
    found = sort_samples(project, found, sort)
    if cursor:
        found = found.filter(_beyond(sort, *_read_cursor(sort, cursor)))
    page = list(found[: size + 1])
    return page[:size], cursor_of(sort, page[size - 1]) if len(page) > size else ""


def neighbours(project: Project, wanted: SampleFilter, sample: Sample) -> tuple[int | None, int | None]:
    """Return the ids of the samples before and after this one in the order of the filter; None at an end."""
    if wanted.like is not None:
        around = [None, *(one.pk for one in _sort_alike(project, wanted, select_samples(project, wanted))), None]
        place = around.index(sample.pk) if sample.pk in around else 0
        return (around[place - 1], around[place + 1]) if place else (None, None)
    return _beside(project, wanted, sample, wanted.order.reversed()), _beside(project, wanted, sample, wanted.order)


def _sort_alike(project: Project, wanted: SampleFilter, found: QuerySet[Sample]) -> list[Sample]:
    rows = found.in_bulk()
    return [rows[pk] for pk in list_similar(project, wanted.like or 0) if pk in rows]


def _page_alike(rows: list[Sample], cursor: str, size: int) -> tuple[list[Sample], str]:
    """Return a page of what is a list already; the cursor is a place in it."""
    begin = parse_number(cursor) or 0
    return rows[begin : begin + size], str(begin + size) if begin + size < len(rows) else ""


def _beside(project: Project, wanted: SampleFilter, sample: Sample, sort: Sort) -> int | None:
    here = sort_samples(project, Sample.objects.filter(pk=sample.pk), sort).first()
    if here is None:  # it has nothing to be sorted by
        return None
    found = sort_samples(project, select_samples(project, wanted), sort)
    return found.filter(_beyond(sort, *_read_cursor(sort, cursor_of(sort, here)))).values_list("pk", flat=True).first()


def cursor_of(sort: Sort, sample: Sample) -> str:
    """Return where the page after this sample begins."""
    return f"{sample.pk} {sample.sorted_by}" if sort.field else str(sample.pk)  # type: ignore[attr-defined] # annotated


def _read_cursor(sort: Sort, cursor: str) -> tuple[int, Any]:
    pk, _, value = cursor.partition(" ")
    with suppress(ValueError):
        beyond = float(value) if sort.by_audit else value.replace("\0", "")
        if (number := parse_number(pk)) is not None:
            return number, beyond
    raise BadFilter("The page cannot be found. Begin with the first one.")


def _beyond(sort: Sort, pk: int, value: Any) -> Q:
    after = "lt" if sort.descending else "gt"
    if not sort.field:
        return Q(**{f"pk__{after}": pk})
    # In this form databases find the place in the index.
    beyond = Q(**{f"{sort.field}__{after}": value}) | Q(**{f"{_key(sort)}__{after}": pk})
    return Q(**{f"{sort.field}__{after}e": value}) & beyond


def _judged(project: Project, number: int, *, right: bool, predicted: int | None) -> list[str]:
    """List the test pictures that a version classifies correctly, or wrongly. Raise BadFilter, ArtifactCorrupt."""
    version = ModelVersion.objects.filter(project=project, number=number).select_related("dataset_version").first()
    if version is None:
        raise BadFilter(f"There is no version {number}.")
    evaluation = load_evaluation(version.artifact_digest)
    given = evaluation.probabilities.argmax(axis=1)
    wanted = (given == evaluation.labels) == right
    if predicted is not None:
        places = {pk: place for place, (pk, _) in enumerate(version.dataset_version.classes)}
        wanted &= given == places.get(predicted, -1)
    return [evaluation.sha256s[row] for row in wanted.nonzero()[0]]


def _day(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


_CONDITIONS: Mapping[str, Callable[[Any], Q]] = {
    "class_id": lambda pk: Q(image_class=pk),
    "unlabelled": lambda _: Q(image_class=None),
    "name": lambda part: Q(file_name__icontains=part),
    "split": lambda split: Q(split="" if split == "none" else split),
    "upload": lambda pk: Q(upload=pk),
    "group": lambda group: Q(group=group),
    "tag": lambda tag: Q(tags__contains=f"|{tag}|"),
    "since": lambda day: Q(created_at__gte=_day(day)),
    "until": lambda day: Q(created_at__lt=_day(day + timedelta(days=1))),
    "smaller_than": lambda side: Q(image__width__lt=side) | Q(image__height__lt=side),
    "duplicate": lambda _: Q(group__startswith=f"{SAME_PHOTO} "),
}
