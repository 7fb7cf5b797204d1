"""Audits of a project: asking for one, what it found, and what people say to it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from classifier.jobs.kinds import AUDIT, EARLY_AUDIT
from classifier.jobs.lifecycle import cancel_job
from classifier.jobs.sending import queue_job
from classifier.models import Audit, Finding, Job, Project, Sample
from classifier.prepared import any_of
from ml.audit.kinds import HINT, KINDS, FindingKind
from ml.audit.learning_curve import LearningCurve

SHARE = 0.02  # of the pictures of the last audit that must have come or gone before there is another by itself
CONTRADICTION = KINDS["contradiction"].name
FOLLOWING = [kind.name for kind in KINDS.values() if kind.follows_class]


@dataclass(frozen=True)
class Summary:
    """How many findings of a kind are open, and how many were dismissed."""

    kind: FindingKind
    count: int
    dismissed: int


@transaction.atomic
def request_audit(project: Project, *, by: User) -> Job:
    """Queue an audit, or return the one that is open. Raise TooManyJobs."""
    Project.objects.select_for_update().get(pk=project.pk)  # two clicks at once: the second sees the first's job
    _cancel_early(project)
    return find_open(project) or queue_job(AUDIT, project=project, by=by)


def _cancel_early(project: Project) -> None:
    for job in project.jobs.filter(kind=EARLY_AUDIT.name, status__in=Job.OPEN):
        cancel_job(job)


def find_open(project: Project) -> Job | None:
    """Return the audit that somebody asked for, while it has not ended."""
    return project.jobs.filter(kind=AUDIT.name, status__in=Job.OPEN).first()


def audit_soon(project: Project) -> None:
    """Queue an audit in the background, unless one is open or nearly nothing has changed since the last one."""
    if not settings.EMBED_EARLY or not _has_changed(project):
        return
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        if not project.jobs.filter(kind__in=(AUDIT.name, EARLY_AUDIT.name), status__in=Job.OPEN).exists():
            project.jobs.filter(kind=EARLY_AUDIT.name).delete()  # nobody looks at them
            queue_job(EARLY_AUDIT, project=project, by=project.owner)


def _has_changed(project: Project) -> bool:
    audit = Audit.objects.filter(project=project).first()
    known, now = audit.samples if audit else 0, Sample.objects.filter(project=project, deleted_at=None).count()
    return now > 0 and abs(now - known) > SHARE * known


def list_findings(project: Project, kind: str | None = None, *, dismissed: bool = False) -> QuerySet[Finding]:
    """List the findings that still hold, the worst first.

    Those about pictures in the trash are left out, and those about the class of a picture that is in another one now.
    """
    found = Finding.objects.filter(project=project, dismissed_at__isnull=not dismissed)
    if kind is not None:
        found = found.filter(kind=kind)
    holds = ~Q(kind__in=FOLLOWING) | Q(image_class=F("sample__image_class"))
    return found.filter(Q(sample=None) | Q(sample__deleted_at=None) & holds)


def summarise(project: Project) -> list[Summary]:
    """Count the findings of each kind that has any, in the order of the kinds."""
    opened, dismissed = (
        dict(list_findings(project, dismissed=which).order_by().values_list("kind").annotate(Count("pk")))
        for which in (False, True)
    )
    return [
        Summary(kind, opened.get(name, 0), dismissed.get(name, 0))
        for name, kind in KINDS.items()
        if name in opened or name in dismissed
    ]


def learning_curve(project: Project) -> LearningCurve:
    """Return what the last check says of whether more pictures would help; without points where it says nothing."""
    found = Audit.objects.filter(project=project).values_list("learning_curve", flat=True).first()
    return LearningCurve.model_validate(found or {})


def count_findings(project: Project) -> int:
    """Count the open findings that may spoil a classifier; hints do not."""
    hints = [kind.name for kind in KINDS.values() if kind.severity == HINT]
    return list_findings(project).exclude(kind__in=hints).count()


def dismiss(
    project: Project,
    kind: str,
    *,
    by: User,
    ids: Iterable[int] | None = None,
    samples: Iterable[int] | None = None,
) -> int:
    """Say that findings of a kind were looked at: all, or those with these ids or of these samples.

    Later audits leave it so. Return how many.
    """
    found = _choose(list_findings(project, kind), ids, samples)
    return found.update(dismissed_at=timezone.now(), dismissed_by=by)


def reopen(
    project: Project, kind: str, *, ids: Iterable[int] | None = None, samples: Iterable[int] | None = None
) -> int:
    """Take back that findings were dismissed. Return how many."""
    found = _choose(list_findings(project, kind, dismissed=True), ids, samples)
    return found.update(dismissed_at=None, dismissed_by=None)


def _choose(found: QuerySet[Finding], ids: Iterable[int] | None, samples: Iterable[int] | None) -> QuerySet[Finding]:
    if ids is not None:
        found = found.filter(pk__in=any_of(list(ids)))
    if samples is not None:
        found = found.filter(sample__in=any_of(list(samples)))
    return Finding.objects.filter(pk__in=found.order_by().values("pk"))  # no UPDATE joins another table


def forget_contradictions(sample_ids: Sequence[int]) -> None:
    """Delete what was found about the same photos in several classes, because the class of one has been changed.

    The next audit looks at all of them anew. Other findings about the class of a picture need no deleting: they hold
    again if it comes back to that class.
    """
    about = Finding.objects.filter(sample__in=any_of(sample_ids), kind=CONTRADICTION)
    photos: dict[int, set[str]] = defaultdict(set)
    for project, photo in about.values_list("project", "details__photo"):
        photos[project].add(photo)
    for project, found in photos.items():
        Finding.objects.filter(project=project, kind=CONTRADICTION, details__photo__in=found).delete()
