"""Classes that are there: no act may leave a sample in a class that was deleted or merged, where nobody sees it."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef

from classifier.models import ImageClass, Project, Sample
from classifier.selectors import list_classes
from ml.datasets.class_names import MAX_CLASS_NAME_LENGTH

Fields = dict[str, Any]  # some fields of a sample, or of a class, as JSON knows them
Wanted = Mapping[int, tuple[Fields, Fields]]  # {sample id: (its fields before, what is to be of them)}


def into_live_classes(project: Project, wanted: Wanted) -> tuple[Wanted, dict[int, Fields]]:
    """Return what is wanted of samples without classes that are gone, and what brings classes back that it needs.

    The class that another was merged into stands for it, and so does a new one of the same name.
    """
    gone = {row.pk: row for row in ImageClass.objects.filter(project=project, deleted_at__isnull=False)}
    needed = {final["image_class_id"] for final in map(_final, wanted.values()) if final["deleted_at"] is None}
    if not needed & gone.keys():
        return wanted, {}
    live = dict(list_classes(project).values_list("name", "pk"))
    places: dict[int, int] = {}
    for pk in sorted(needed & gone.keys()):
        last = _follow(pk, gone)
        places[pk] = live.setdefault(gone[last].name, last) if last in gone else last
    back = {place: {"deleted_at": None, "merged_into_id": None} for place in places.values() if place in gone}
    return {pk: _placed(pair, places) for pk, pair in wanted.items()}, back


def _final(pair: tuple[Fields, Fields]) -> Fields:
    before, after = pair
    return {**before, **after}


def _placed(pair: tuple[Fields, Fields], places: Mapping[int, int]) -> tuple[Fields, Fields]:
    before, after = pair
    final = _final(pair)
    if final["deleted_at"] is not None or final["image_class_id"] not in places:
        return pair
    return before, {**after, "image_class_id": places[final["image_class_id"]]}


def _follow(pk: int, gone: Mapping[int, ImageClass]) -> int:
    """Return the class that one was merged into, however often that was merged again."""
    seen = {pk}
    while pk in gone and (further := gone[pk].merged_into_id) is not None and further not in seen:
        pk = further
        seen.add(pk)
    return pk


def live_ids(project: Project) -> dict[int, int]:
    """Return what each class is now, by its id: itself or what it was merged into; what is gone is left out."""
    rows = {row.pk: row for row in ImageClass.objects.filter(project=project)}
    gone = {pk: row for pk, row in rows.items() if row.deleted_at is not None}
    places = {pk: _follow(pk, gone) for pk in rows}
    return {pk: place for pk, place in places.items() if place not in gone}


def fields_of_used(project: Project) -> dict[int, Fields]:
    """Return what brings classes back that are gone although samples are in them, as undoing can leave them."""
    kept = Sample.objects.filter(image_class=OuterRef("pk"), project=project, deleted_at=None)
    used = ImageClass.objects.filter(Exists(kept), project=project, deleted_at__isnull=False).order_by("pk")
    taken: set[str] = set()
    back: dict[int, Fields] = {}
    for row in used:
        taken = taken or set(list_classes(project).values_list("name", flat=True))
        name = free_name(row.name, taken)
        taken.add(name)
        back[row.pk] = {"deleted_at": None, "merged_into_id": None, "name": name}
    return back


def free_name(name: str, taken: set[str]) -> str:
    """Return the name, with a number if another class is called so."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name[: MAX_CLASS_NAME_LENGTH - 10]} ({number})"
    return found
