"""samples -> samples: what people change of them. Every act is recorded with what it takes to undo it."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from classifier.models import Change, ImageClass, Project, Sample, SampleChange
from classifier.prepared import any_of, insert_rows
from classifier.services.audits import forget_contradictions
from classifier.services.candidate_queue import train_soon
from classifier.services.live_classes import Fields, Wanted, fields_of_used, into_live_classes
from ml.errors import Conflict

Kind = Change.Kind

# What an act may change of a sample; all else is what the picture is and where it came from.
SAMPLE_FIELDS = ("image_class_id", "split", "split_is_given", "group", "tags", "deleted_at")
CLASS_FIELDS = (
    *("name", "description", "colour", "position", "in_training", "is_negative"),
    *("merged_into_id", "deleted_at"),
)
READ_AT_ONCE = 5000  # rows


class CannotUndo(Conflict):
    """The act cannot be taken back any more. The message is a sentence for the user."""


def change_samples(
    samples: QuerySet[Sample],
    kind: Kind,
    change: Callable[[Fields], Fields],
    *,
    project: Project,
    by: User | None,
    details: Fields | None = None,
    classes: Mapping[int, Fields] | None = None,
) -> Change:
    """Change samples of the project, and classes with them, and return the act.

    Args:
        samples: those that are meant. What others change meanwhile waits.
        change: returns new values for some of SAMPLE_FIELDS, from all of them and the sample's `pk`; what stays the
            same is not recorded.
        details: names for the sentence that tells of it.
        classes: new values for some of CLASS_FIELDS, by the id of a class.
    """
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # no training freezes or deals them meanwhile
        rows = samples.filter(project=project).order_by("pk").values("pk", *SAMPLE_FIELDS)
        wanted = {}
        for row in rows.iterator(chunk_size=READ_AT_ONCE):
            pk, before = row.pop("pk"), _plain(row)
            wanted[pk] = (before, change({"pk": pk, **before}))
        act = Change.objects.create(project=project, kind=kind, details=details or {}, created_by=by)
        act.classes = _write_classes(project, classes or {})
        act.count = _write(act, wanted)
        act.save(update_fields=["count", "classes"])
        if kind != Kind.TAG:
            train_soon(project)
    return act


def undo(act: Change, *, by: User | None) -> tuple[Change, int]:
    """Take an act back, and return that act and how many samples stay, as they have been changed since.

    Taking back what took something back does it again. Raise CannotUndo.
    """
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=act.project_id)
        if Change.objects.filter(undoes=act).exists():
            raise CannotUndo("This has been undone already.")
        kept = act.samples.values_list("sample", "before", "after").iterator(chunk_size=READ_AT_ONCE)
        recorded = {pk: (before, after) for pk, before, after in kept}
        now = _read_samples(list(recorded))
        wanted = {
            pk: (now[pk], before)
            for pk, (before, after) in recorded.items()
            if pk in now and after.items() <= now[pk].items()
        }
        back = Change.objects.create(project=act.project, kind=Kind.UNDO, undoes=act, created_by=by)
        back.classes = _undo_classes(act)
        back.count = _write(back, wanted)
        back.details = {"kind": act.kind, **act.details}
        back.save(update_fields=["count", "classes", "details"])
        train_soon(act.project)
    return back, act.count - len(wanted)


def _plain(row: Mapping[str, Any]) -> Fields:
    """Return values that are the same after a way through JSON."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def _native(values: Fields) -> Fields:
    return {
        name: datetime.fromisoformat(value) if name == "deleted_at" and value else value
        for name, value in values.items()
    }


def _read_samples(pks: Sequence[int]) -> dict[int, Fields]:
    rows = Sample.objects.filter(pk__in=any_of(pks)).order_by().values("pk", *SAMPLE_FIELDS)
    return {row.pop("pk"): _plain(row) for row in rows.iterator(chunk_size=READ_AT_ONCE)}


def _write(act: Change, wanted: Wanted) -> int:
    """Write and record what differs of samples, and bring classes back that are gone and have samples then."""
    wanted, needed = into_live_classes(act.project, wanted)
    _add_classes(act, _write_classes(act.project, needed))
    count = _write_samples(act, wanted)
    _add_classes(act, _write_classes(act.project, fields_of_used(act.project)))
    return count


def _add_classes(act: Change, more: Fields) -> None:
    """Add what the act changes of classes once more: what was before it stays."""
    for pk, (before, after) in more.items():
        known_before, known_after = act.classes.get(pk, ({}, {}))
        act.classes[pk] = [{**before, **known_before}, {**known_after, **after}]


def _write_samples(act: Change, wanted: Wanted) -> int:
    """Write and record what differs from before, and return how many samples do.

    Args:
        wanted: {sample id: (its fields before, what is to be of them)}.
    """
    differing = {}
    for pk, (before, after) in wanted.items():
        new = {name: value for name, value in after.items() if before[name] != value}
        if new:
            differing[pk] = ({name: before[name] for name in new}, new)
    rows = ((act.pk, pk, json.dumps(before), json.dumps(after)) for pk, (before, after) in differing.items())
    insert_rows(SampleChange, ("change_id", "sample_id", "before", "after"), rows, returning="sample_id")
    forget_contradictions([pk for pk, (_, after) in differing.items() if "image_class_id" in after])
    alike: dict[str, list[int]] = defaultdict(list)
    for pk, (_, after) in differing.items():
        alike[json.dumps(after, sort_keys=True)].append(pk)
    for values, pks in alike.items():
        Sample.objects.filter(pk__in=any_of(pks)).update(**_native(json.loads(values)))
    return len(differing)


def _write_classes(project: Project, wanted: Mapping[int, Fields]) -> Fields:
    """Write the fields of classes, and return what differs: {class id: [before, after]}."""
    written = {}
    for row in ImageClass.objects.filter(project=project, pk__in=wanted).values("pk", *CLASS_FIELDS):
        pk, before = row.pop("pk"), _plain(row)
        after = {name: value for name, value in wanted[pk].items() if before[name] != value}
        if after:
            ImageClass.objects.filter(pk=pk).update(**_native(after))
            written[str(pk)] = [{name: before[name] for name in after}, after]
    return written


def _undo_classes(act: Change) -> Fields:
    """Give classes back what the act changed of them. Raise CannotUndo where they have been changed since."""
    now = {row["pk"]: _plain(row) for row in ImageClass.objects.filter(pk__in=act.classes).values("pk", *CLASS_FIELDS)}
    for pk, (_, after) in act.classes.items():
        if not after.items() <= now.get(int(pk), {}).items():
            raise CannotUndo("The class has been changed since, so this cannot be undone any more.")
    wanted = {int(pk): before for pk, (before, _) in act.classes.items()}
    try:
        with transaction.atomic():
            return _write_classes(act.project, wanted)
    except IntegrityError:
        raise CannotUndo("There is another class of this name now. Rename it first.") from None


def now_as_text() -> str:
    """Return this moment as SAMPLE_FIELDS and CLASS_FIELDS hold it."""
    return timezone.now().isoformat()
