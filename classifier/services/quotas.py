"""How many pictures, and how many bytes of them, projects and users may have; without limit unless settings say so.

What counts are the samples of a project, those in its trash too, because they take room until that is emptied. The
quota of a user is that of all projects they own.
"""

import time
from dataclasses import dataclass, replace

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, QuerySet, Sum

from classifier.models import Account, Project, Sample
from classifier.prepared import PreparedQuery, any_of
from classifier.services.counting import count, in_cache
from classifier.services.incoming_files import IncomingFile
from ml.errors import Conflict, UserError

# Asked with every picture that comes in, mostly to learn that there is no limit.
OWN_QUOTAS = PreparedQuery(
    lambda user: Account.objects.filter(user=user).values_list("quota_pictures", "quota_gb"), int
)
HOUR = 3600  # seconds
ADVICE = "Delete some, and empty the trash of their project, or ask the administrator for more."


class QuotaUsedUp(Conflict):
    """There is no room for another picture. The message says how much was allowed."""


class TooManyRequests(UserError):
    """The requests of this hour are used up. The next may come in `seconds`."""

    status = 429

    def __init__(self, most: int, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"Your programs may send {most:,} requests an hour, and have. Try again in {seconds} seconds.")


@dataclass
class _Limit:
    """A limit, and what is left of it: pictures or bytes."""

    room: str
    left: int
    in_bytes: bool

    @property
    def sentence(self) -> str:
        return f"{self.room}, and that is used up. {ADVICE}"

    def fits(self, size: int) -> bool:
        return self.left >= (size if self.in_bytes else 1)

    def take(self, size: int) -> None:
        self.left -= size if self.in_bytes else 1


def check_quota(project: Project) -> None:
    """Check that something may still come into a project. Raise QuotaUsedUp."""
    for limit in _limits_of(project):
        if limit.left <= 0:
            raise QuotaUsedUp(limit.sentence)


def has_quota_left(project: Project, *, pictures: int, size: int) -> bool:
    """Return whether something may still come into a project, besides so many pictures and bytes that wait for it."""
    return all(limit.left > (size if limit.in_bytes else pictures) for limit in _limits_of(project))


def count_request(user: int) -> None:
    """Count a request that a program of this user sends. Raise TooManyRequests once those of this hour are used up."""
    own = Account.objects.filter(user=user).values_list("quota_requests", flat=True).first()
    most = settings.QUOTA_USER_REQUESTS if own is None else own
    now = int(time.time())
    key = f"requests:{user}:{now // HOUR}"
    if most and in_cache(lambda counts: count(counts, key, seconds=HOUR)) > most:
        raise TooManyRequests(most, HOUR - now % HOUR)


def check_quota_for(owner: User, *, pictures: int, size: int) -> None:
    """Check that a new project of so many pictures and bytes may come to somebody. Raise QuotaUsedUp."""
    for limit in _limits_of(Project(pk=0, owner=owner)):  # there is no project of this id
        if limit.left < (size if limit.in_bytes else pictures):
            raise QuotaUsedUp(f"{limit.room}, which is too little: this one has {pictures:,} pictures.")


def refuse_beyond_quota(project: Project, files: list[IncomingFile]) -> list[IncomingFile]:
    """Return the files, of which those that are too many are refused. In a transaction, one at a time for each owner.

    What the project has already is none too many.
    """
    if not _quotas_of(project):
        return files
    User.objects.select_for_update(no_key=True).get(pk=project.owner_id)
    limits = _limits_of(project)
    sha256s = [incoming.facts.sha256 for incoming in files if incoming.facts]
    samples = Sample.objects.filter(project=project, image__sha256__in=any_of(sha256s))
    known = set(samples.values_list("image__sha256", flat=True))
    return [_judge(incoming, limits, known) for incoming in files]


def _judge(incoming: IncomingFile, limits: list[_Limit], known: set[str]) -> IncomingFile:
    if incoming.facts is None or incoming.facts.sha256 in known:
        return incoming
    size = incoming.facts.size
    for limit in limits:
        if not limit.fits(size):
            return replace(incoming, facts=None, reason=limit.sentence)
    for limit in limits:
        limit.take(size)
    known.add(incoming.facts.sha256)
    return incoming


def _quotas_of(project: Project) -> list[tuple[str, "QuerySet[Sample]", int, bool]]:
    """List whose quota it is ("": the owner's), the samples that count, how much is allowed, and whether in GB."""
    [(pictures, gb)] = OWN_QUOTAS.rows(project.owner_id) or [(None, None)]
    found = [
        ("A project", _of_project, settings.QUOTA_PROJECT_PICTURES, False),
        ("A project", _of_project, settings.QUOTA_PROJECT_GB, True),
        ("", _of_owner, settings.QUOTA_USER_PICTURES if pictures is None else pictures, False),
        ("", _of_owner, settings.QUOTA_USER_GB if gb is None else gb, True),
    ]
    return [(who, samples(project), allowed, in_gb) for who, samples, allowed, in_gb in found if allowed]


def _of_project(project: Project) -> "QuerySet[Sample]":
    return Sample.objects.filter(project=project)


def _of_owner(project: Project) -> "QuerySet[Sample]":
    return Sample.objects.filter(project__owner=project.owner_id)


def _limits_of(project: Project) -> list[_Limit]:
    return [_measure(project, *quota) for quota in _quotas_of(project)]


def _measure(project: Project, who: str, samples: "QuerySet[Sample]", allowed: int, in_gb: bool) -> _Limit:
    used = samples.aggregate(n=Sum("image__size") if in_gb else Count("pk"))["n"] or 0
    has = f"{who} has" if who else f"All projects of {project.owner.username} together have"
    what = "GB of pictures" if in_gb else "pictures"
    return _Limit(f"{has} room for {allowed:,} {what}", (allowed * 2**30 if in_gb else allowed) - used, in_gb)
