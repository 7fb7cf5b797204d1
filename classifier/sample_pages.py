"""Pages of the samples that match a filter, by key: page 300 costs what page 1 costs."""

from contextlib import suppress
from typing import Any

from django.db.models import F, Q, QuerySet

from classifier.models import Project, Sample
from classifier.parsing import parse_number
from classifier.sample_filters import BadFilter, SampleFilter, select_samples
from classifier.sample_orders import Sort
from classifier.services.similar import list_similar


def _sort(samples: QuerySet[Sample], sort: Sort) -> QuerySet[Sample]:
    if not sort.field:
        return samples.order_by("-pk" if sort.descending else "pk")
    sign, key = "-" if sort.descending else "", _key(sort)
    return samples.annotate(sorted_by=F(sort.field)).order_by(f"{sign}{sort.field}", f"{sign}{key}")


def _key(sort: Sort) -> str:
    """Return the id that the order's index has."""
    return "audit__sample_id" if sort.by_audit else "pk"


def page_after(project: Project, wanted: SampleFilter, cursor: str, size: int) -> tuple[list[Sample], str]:
    """Return a page of the samples that match, with their images and classes, and the cursor of the next page.

    It is empty where there is none. By key rather than offset: page 300 costs what page 1 costs. Raise BadFilter for
    what is no cursor.
    """
    sort, found = wanted.order, select_samples(project, wanted).select_related("image", "image_class")
    if wanted.like is not None:
        return _page_alike(_sort_alike(project, wanted, found), cursor, size)
    found = _sort(found, sort)
    if cursor:
        found = found.filter(_beyond(sort, *_read_cursor(sort, cursor)))
    page = list(found[: size + 1])
    return page[:size], _cursor_of(sort, page[size - 1]) if len(page) > size else ""


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
    found = _sort(select_samples(project, wanted), sort)
    here = _sort(Sample.objects.filter(pk=sample.pk), sort).first()
    if here is None or (sort.by_audit and here.sorted_by is None):  # type: ignore[attr-defined] # annotated
        return None  # it has nothing to be sorted by
    return found.filter(_beyond(sort, *_read_cursor(sort, _cursor_of(sort, here)))).values_list("pk", flat=True).first()


def _cursor_of(sort: Sort, sample: Sample) -> str:
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
