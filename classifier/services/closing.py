"""Deleting accounts: to the trash, back from there, and for good.

What a user did in the projects of others stays, without a name. Their own projects go with the account, unless somebody
takes them over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from classifier.jobs.lifecycle import cancel_job
from classifier.models import Account, Candidate, CustomBackbone, Job, ModelVersion, PartialUpload, Project
from classifier.models.custom_backbone import backbone_file_path
from classifier.services.audit_log import record
from classifier.services.members import NoSuchPerson
from classifier.services.resumable import discard
from classifier.services.sessions import end_sessions
from classifier.services.trash import Consequences, consequences_of_project, delete_project, restore_project
from classifier.services.users import account_of, check_dispensable
from ml.errors import Conflict, Refused

log = structlog.get_logger(__name__)

ACCOUNTS_AT_ONCE = 20  # in one round of the reaper


class NotDeleted(Conflict):
    """Only what is in the trash is restored."""

    def __init__(self) -> None:
        super().__init__("This account is not in the trash.")


class OtherName(Refused):
    """What an administrator typed is not the user name of the account that is to be deleted for good."""

    def __init__(self) -> None:
        super().__init__("That is not the user name of this account.")


class NotYourName(Refused):
    """What was typed is not the user name of the account that is to be deleted."""

    def __init__(self) -> None:
        super().__init__("That is not your user name. Give it as you sign in with it, and your account is deleted.")


@dataclass(frozen=True)
class Owned:
    """A project that goes with its owner's account, and what goes with it."""

    project: Project
    goes: Consequences


def list_owned(user: User) -> list[Owned]:
    """List the projects that go with an account, with what goes with each."""
    owned = Project.objects.filter(owner=user, deleted_at=None)
    return [Owned(project, consequences_of_project(project)) for project in owned]


def count_own(user: User) -> list[tuple[str, int]]:
    """Count what goes with an account besides its projects, without what there is none of."""
    numbers = (
        ("API keys", user.api_keys.filter(revoked_at=None).count()),
        ("webhooks", user.webhooks.count()),
        ("teams", user.own_teams.count()),
        ("memberships", user.project_memberships.count()),
        ("backbones", user.custom_backbones.filter(project=None, is_offered=True).count()),
    )
    return [(words if number != 1 else words.removesuffix("s"), number) for words, number in numbers if number]


def give_project(project: Project, username: str, *, by: User) -> User:
    """Make somebody with an account here the owner of a project, as its administrator wishes. Raise NoSuchPerson."""
    with transaction.atomic():
        taken = Project.objects.select_for_update().get(pk=project.pk)
        heir = User.objects.filter(username__iexact=username.strip(), is_active=True).first()
        if heir is None or heir.pk == taken.owner_id:
            raise NoSuchPerson(f"Nobody else with an account here has the user name “{username.strip()[:150]}”.")
        taken.memberships.filter(user=heir).delete()
        Project.objects.filter(pk=taken.pk).update(owner=heir)
        record("project.handed_on", taken, by=by, owner=heir.username)
    return heir


def check_own_name(user: User, typed: str) -> None:
    """Check that somebody has named the account that is to be deleted. Raise NotYourName."""
    if typed != user.username:
        raise NotYourName


def delete_own_account(user: User) -> None:
    """Move one's own account to the trash. Raise LastAdministrator."""
    _delete(user, by=None)


def delete_account(user: User, *, by: User, heirs: Mapping[int, str] | None = None) -> None:
    """Move an account to the trash: nobody can sign in, and its keys stop.

    Its projects go with it, but for those whose id has the user name of an heir. All is done, or nothing: raise
    NotYourself, LastAdministrator, NoSuchPerson.
    """
    with transaction.atomic():
        for project in Project.objects.filter(owner=user, deleted_at=None, pk__in=heirs or ()):
            give_project(project, (heirs or {})[project.pk], by=by)
        _delete(user, by=by)


def _delete(user: User, *, by: User | None) -> None:
    now = timezone.now()
    with transaction.atomic():
        check_dispensable(user, by=by)
        if account_of(user).deleted_at:
            return
        User.objects.filter(pk=user.pk).update(is_active=False)
        Account.objects.update_or_create(user=user, defaults={"deleted_at": now})
        for project in Project.objects.filter(owner=user, deleted_at=None):
            delete_project(project)
            Project.objects.filter(pk=project.pk).update(deleted_at=now)  # by which they come back together
        record("user.deleted", user.username, by=by or user)
        end_sessions(user)
    for job in Job.objects.filter(created_by=user, project=None, parent=None, status__in=Job.OPEN):
        cancel_job(job)
    log.info("account_deleted", user=user.pk)


def restore_account(user: User, *, by: User) -> None:
    """Take an account out of the trash, with the projects that went with it. Raise NotDeleted."""
    with transaction.atomic():
        account = Account.objects.select_for_update().filter(user=user).exclude(deleted_at=None).first()
        if account is None:
            raise NotDeleted
        for project in Project.objects.filter(owner=user, deleted_at=account.deleted_at):
            restore_project(project)
        Account.objects.filter(pk=account.pk).update(deleted_at=None)
        User.objects.filter(pk=user.pk).update(is_active=True)
        record("user.restored", user.username, by=by)


def hasten_purge(user: User, typed: str, *, by: User) -> None:
    """Let an account in the trash be deleted for good now, and not after its days. Raise OtherName, NotDeleted.

    The reaper does that, once jobs have deleted the projects.
    """
    if typed != user.username:
        raise OtherName
    due = timezone.now() - timedelta(days=settings.TRASH_DAYS, seconds=1)
    with transaction.atomic():
        if not Account.objects.filter(user=user).exclude(deleted_at=None).update(deleted_at=due):
            raise NotDeleted
        Project.objects.filter(owner=user).exclude(deleted_at=None).update(deleted_at=due)
        record("user.hastened", user.username, by=by)


def list_trashed_accounts() -> QuerySet[Account]:
    """List the accounts in the trash, the newest first."""
    return Account.objects.exclude(deleted_at=None).select_related("user").order_by("-deleted_at")


def purge_expired_accounts() -> None:
    """Delete for good the accounts that have been in the trash for their days. For the reaper.

    Each waits for its projects, which jobs delete.
    """
    until = timezone.now() - timedelta(days=settings.TRASH_DAYS)
    ready = list_trashed_accounts().filter(deleted_at__lt=until, user__projects=None)
    for account in ready[:ACCOUNTS_AT_ONCE]:
        purge_account(account.user)


def purge_account(user: User) -> None:
    """Delete an account that owns no projects any more, with all that is its own."""
    for partial in PartialUpload.objects.filter(created_by=user):
        discard(partial)
    files = []
    with transaction.atomic():
        if not Account.objects.select_for_update().filter(user=user).exclude(deleted_at=None).exists():
            return  # it was restored meanwhile
        for custom in CustomBackbone.objects.filter(owner=user):
            files += _let_go(custom)
        user.delete()
        record("user.purged", user.username)
    for name, paths in files:
        if not CustomBackbone.objects.filter(name=name).exists():
            for path in paths:
                default_storage.delete(path)
    log.info("account_purged")


def _let_go(custom: CustomBackbone) -> list[tuple[str, list[str]]]:
    """Keep a backbone without an owner where a version needs it, or delete its row; return the files that may go."""
    if custom.project_id is not None or _is_needed(custom.name):
        # In the trash it goes once nothing needs it; that of a version goes with the version.
        removed_at = custom.removed_at if custom.project_id is not None else timezone.now()
        CustomBackbone.objects.filter(pk=custom.pk).update(owner=None, is_offered=False, removed_at=removed_at)
        return []
    paths = [backbone_file_path(custom.name, file) for file in (custom.spec or {}).get("files", ())]
    custom.delete()
    return [(custom.name, paths)] if custom.name else []


def _is_needed(name: str) -> bool:
    if not name:
        return False
    versions = ModelVersion.every.filter(Q(backbone=name) | Q(config__backbone=name))
    if versions.exists() or Candidate.objects.filter(backbone=name).exists():
        return True
    configs = Job.objects.filter(status__in=Job.OPEN).values_list("config", flat=True)
    return any(name in str(config) for config in configs.iterator())
