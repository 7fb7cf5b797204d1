"""Write down what an audit found, in short transactions: others must be able to write meanwhile."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import transaction

from classifier.models import Finding, ImageClass, Project, Sample, SampleAudit
from ml.audit.kinds import KINDS

SLICE = 500  # rows of a transaction
FIELDS = ["predicted_class", "confidence", "uncertainty", "outlier_score"]
FACTS = ["score", "details", "image_class"]
DISMISSAL = ["dismissed_at", "dismissed_by"]

Report = Callable[[int], None]


def write_sample_audits(project: Project, rows: Sequence[SampleAudit], report: Report) -> None:
    """Write a row for each sample over the one of the last audit. `report` is called with how many are done."""
    for start in range(0, len(rows), SLICE):
        part = rows[start : start + SLICE]
        with transaction.atomic():
            there = _lock_samples([row.sample_id for row in part])
            known = [row for row in part if row.sample_id in there]
            _check_classes(project, known)
            SampleAudit.objects.bulk_create(
                known, update_conflicts=True, unique_fields=["sample"], update_fields=["project", *FIELDS]
            )
        report(start + len(part))


def _check_classes(project: Project, rows: Sequence[SampleAudit]) -> None:
    """Predict nothing in the place of classes that were deleted meanwhile."""
    classes = set(ImageClass.objects.filter(project=project).values_list("pk", flat=True))
    for row in rows:
        if row.predicted_class_id not in classes:
            row.predicted_class_id = None


def _lock_samples(ids: Sequence[int]) -> set[int]:
    """Return those of the ids that have not been deleted for good, and will not be in this transaction."""
    return set(Sample.objects.select_for_update().filter(pk__in=ids).values_list("pk", flat=True))


def write_findings(project: Project, found: Iterable[Finding]) -> dict[str, int]:
    """Bring the project's findings to what an audit found, and return how many there are of each kind.

    One that was dismissed stays so, unless it is about another class now.
    """
    known = {_key(row): row for row in Finding.objects.filter(project=project)}
    new: list[Finding] = []
    changed: list[Finding] = []
    reopened: list[Finding] = []
    counts = dict.fromkeys(KINDS, 0)
    for finding in found:
        counts[finding.kind] += 1
        old = known.pop(_key(finding), None)
        if old is None:
            new.append(finding)
        elif _facts(old) != _facts(finding):
            (reopened if _is_about_another_class(old, finding) else changed).append(old)
            old.score, old.details, old.image_class_id = _facts(finding)
    _delete([row.pk for row in known.values() if row.dismissed_at is None])
    for part in _slices(changed):
        Finding.objects.bulk_update(part, FACTS)  # and nothing else: somebody may be dismissing some of them
    for part in _slices(reopened):
        for row in part:
            row.dismissed_at = row.dismissed_by = None
        Finding.objects.bulk_update(part, [*FACTS, *DISMISSAL])
    for part in _slices(new):
        _create(part)
    return {kind: count for kind, count in counts.items() if count}


def _key(finding: Finding) -> tuple[str, int | None, int | None]:
    """Return what no two findings of a project have in common."""
    return finding.kind, finding.sample_id, None if finding.sample_id else finding.image_class_id


def _facts(finding: Finding) -> tuple[Any, ...]:
    return finding.score, finding.details, finding.image_class_id


def _is_about_another_class(old: Finding, new: Finding) -> bool:
    return KINDS[old.kind].follows_class and old.image_class_id != new.image_class_id


def _delete(ids: list[int]) -> None:
    for part in _slices(ids):
        Finding.objects.filter(pk__in=part, dismissed_at=None).delete()


@transaction.atomic
def _create(findings: Sequence[Finding]) -> None:
    there = _lock_samples([finding.sample_id for finding in findings if finding.sample_id])
    classes = set(ImageClass.objects.filter(project=findings[0].project_id).values_list("pk", flat=True))
    kept = [
        finding
        for finding in findings
        if (finding.sample_id in there or finding.sample_id is None) and finding.image_class_id in {None, *classes}
    ]
    Finding.objects.bulk_create(kept, ignore_conflicts=True)


def _slices(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (rows[start : start + SLICE] for start in range(0, len(rows), SLICE))
