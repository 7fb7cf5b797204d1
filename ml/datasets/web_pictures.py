"""Plan the pictures that tables give at addresses of the web: their class, split and group, before they are fetched."""

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from ml.datasets.file_names import stem_of
from ml.datasets.groups import group_by_name
from ml.datasets.plan import Verdict
from ml.datasets.readings import UNLABELLED, Layout
from ml.datasets.tables import Row

SEVERAL_CLASSES = "A table gives it several classes; a picture can only be in one."
NOT_FETCHED = "Only pictures at addresses that begin with https:// or http:// are fetched."
_LONGEST = 2000  # characters of an address


def plan_web_pictures(rows: Sequence[Row], layout: Layout) -> dict[str, Verdict]:
    """Return the verdict on each address, in the order of the tables; labels are not cleaned yet."""
    found: dict[str, Verdict] = {}
    for row in rows:
        found.setdefault(row.file, _verdict(row, layout))
    _add_groups(found, layout)
    return found


def _verdict(row: Row, layout: Layout) -> Verdict:
    if not row.file.lower().startswith(("http://", "https://")) or len(row.file) > _LONGEST:
        return Verdict(reason=NOT_FETCHED)
    if len(row.labels) > 1:
        return Verdict(reason=SEVERAL_CLASSES)
    label = row.labels[0] if row.labels and layout.reading != UNLABELLED else None
    return Verdict(label, "" if layout.keep is False else row.split)


def _add_groups(found: dict[str, Verdict], layout: Layout) -> None:
    """Give a group to the pictures whose names tell one, such as that of their video; nothing else was chosen for."""
    by_class: dict[str, list[str]] = {}
    for address, verdict in found.items():
        if verdict.class_name is not None and not layout.groups:
            by_class.setdefault(verdict.class_name, []).append(address)
    for addresses in by_class.values():
        groups = group_by_name([stem_of(unquote(_last(address))) for address in addresses])
        for address, group in zip(addresses, groups, strict=True):
            found[address] = found[address]._replace(group=group)


def _last(address: str) -> str:
    try:
        return urlsplit(address).path.rpartition("/")[2]
    except ValueError:  # what is no address; fetching it says so
        return address.rpartition("/")[2]
