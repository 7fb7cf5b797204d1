"""Which samples: one filter behind the grid, its actions on all that match, the API and downloads.

The fields of `SampleFilter` are the parameters of the address: what is not the default is in it, and nothing else.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from django.db.models import F, Q, QuerySet
from django.http import QueryDict
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from classifier.models import ModelVersion, Project, Sample
from classifier.prepared import any_of
from classifier.sample_orders import SORTS, Sort
from classifier.services.artifacts import load_evaluation
from classifier.services.audits import list_findings
from classifier.services.similar import list_similar
from ml.datasets.groups import SAME_PHOTO
from ml.errors import Refused

Id = Annotated[int, Field(ge=0, lt=2**63)]
Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(9000, 1, 1))]  # the days beside it are days, too


class BadFilter(Refused):
    """The address asks for something that no filter knows. The message is a sentence for the user."""


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
    uploader: str = Field("", max_length=150, description="only those that the user with this name brought in")
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
    checked: Literal["right", "wrong"] | None = Field(
        None, description="those whose class is, or is not, what the last check takes them for"
    )
    predicted: Id | None = Field(
        None, description="the class that the version in `right` or `wrong`, or the last check, gives them"
    )
    sort: str = Field("newest", description=", ".join(SORTS))

    @field_validator("sort")
    @classmethod
    def _known(cls, sort: str) -> str:
        if sort not in SORTS:
            raise ValueError(f"choose one of {', '.join(SORTS)}")
        return sort

    @field_validator("name", "uploader", "group", "tag", "finding")
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
        return self.order.by_audit or bool(self.model_dump(exclude_defaults=True).keys() - {"sort"})


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
    """Select the samples that match, in no order yet; an order by the audit has no place for what it has not seen.

    Raise BadFilter.
    """
    found = Sample.objects.filter(project=project, deleted_at__isnull=not wanted.deleted)
    for name, value in wanted.model_dump(exclude_defaults=True).items():
        if name in _CONDITIONS:
            found = found.filter(_CONDITIONS[name](value))
    if wanted.like is not None:
        found = found.filter(pk__in=list_similar(project, wanted.like))
    if wanted.finding:
        found = found.filter(pk__in=list_findings(project, wanted.finding).order_by().values("sample"))
    if wanted.checked is not None:
        found = found.filter(_checked(wanted.checked, wanted.predicted))
    for name, version in (("right", wanted.right), ("wrong", wanted.wrong)):
        if version is not None:
            judged = _judged(project, version, right=name == "right", predicted=wanted.predicted)
            found = found.filter(image__sha256__in=any_of(judged))
    if wanted.order.by_audit:  # the index of the audits has the project as well
        found = found.filter(**{f"{wanted.order.field}__isnull": False, "audit__project": project})
    return found.order_by()


def _checked(answer: str, predicted: int | None) -> Q:
    same = Q(audit__predicted_class=F("image_class"))
    found = same if answer == "right" else ~same & Q(audit__predicted_class__isnull=False, image_class__isnull=False)
    return found if predicted is None else found & Q(audit__predicted_class=predicted)


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
    "uploader": lambda name: Q(created_by__username=name),
    "group": lambda group: Q(group=group),
    "tag": lambda tag: Q(tags__contains=f"|{tag}|"),
    "since": lambda day: Q(created_at__gte=_day(day)),
    "until": lambda day: Q(created_at__lt=_day(day + timedelta(days=1))),
    "smaller_than": lambda side: Q(image__width__lt=side) | Q(image__height__lt=side),
    "duplicate": lambda _: Q(group__startswith=f"{SAME_PHOTO} "),
}
