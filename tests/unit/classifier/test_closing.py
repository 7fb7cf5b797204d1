"""Accounts go to the trash, come back from there, or go for good; what others need stays."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from classifier.jobs.kinds import DELETE
from classifier.models import (
    Account,
    ApiKey,
    CustomBackbone,
    ExternalIdentity,
    Job,
    ModelVersion,
    Project,
    Sample,
    Team,
    Webhook,
)
from classifier.roles import Role
from classifier.services import closing, identities, members, purging, second_factor, teams
from classifier.services.accounts import create_api_key
from classifier.services.notices import add_webhook
from classifier.services.projects import create_project
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import PASSWORD, add_pictures
from tests.unit.classifier.test_custom_backbones import opened
from worker.run import run_job


@pytest.fixture
def administrator(db: None) -> User:
    return User.objects.create_superuser("head", password=PASSWORD)


@pytest.fixture
def as_administrator(administrator: User) -> Client:
    client = Client()
    client.force_login(administrator)
    return client


def let_days_pass() -> None:
    """Let everything in the trash be there for longer than its days."""
    for model in (Account, Project):
        for row in model._base_manager.exclude(deleted_at=None):
            model._base_manager.filter(pk=row.pk).update(deleted_at=row.deleted_at - timedelta(days=31))


def reap() -> None:
    """Do what the reaper and the worker do, until nothing more is to be done."""
    for _ in range(2):
        purging.purge_expired()
        for job in Job.objects.filter(kind=DELETE.name, status__in=Job.OPEN):
            run_job(job.pk)
        closing.purge_expired_accounts()


def test_deleted_account_comes_back_with_its_projects(
    trained: ModelVersion, owner: User, as_owner: Client, as_administrator: Client
) -> None:
    earlier = create_project("Deleted before", by=owner)
    Project.objects.filter(pk=earlier.pk).update(deleted_at=timezone.now() - timedelta(days=1))
    page = as_administrator.get(reverse("user_delete", args=[owner.pk])).content.decode()
    assert "Colours" in page
    assert "18 pictures" in page
    as_administrator.post(reverse("user_delete", args=[owner.pk]))
    assert as_owner.get(reverse("api_keys")).status_code == 302
    assert not Project.objects.filter(deleted_at=None).exists()
    assert "in the trash" in as_administrator.get(reverse("user", args=[owner.pk])).content.decode()
    as_administrator.post(reverse("user_restore", args=[owner.pk]))
    assert Client().login(username="owner", password=PASSWORD)
    assert Project.objects.get(deleted_at=None) == trained.project
    with pytest.raises(closing.NotDeleted):
        closing.restore_account(owner, by=owner)


def test_account_in_the_trash_cannot_be_enabled(owner: User, as_administrator: Client) -> None:
    as_administrator.post(reverse("user_delete", args=[owner.pk]))
    as_administrator.post(reverse("user_enable", args=[owner.pk]))
    owner.refresh_from_db()
    assert not owner.is_active


def test_wrong_heir_leaves_everything_as_it_was(
    trained: ModelVersion, owner: User, stranger: User, as_administrator: Client
) -> None:
    second = create_project("Second", by=owner)
    heirs = {f"heir-{trained.project_id}": "stranger", f"heir-{second.pk}": "nobody"}
    assert as_administrator.post(reverse("user_delete", args=[owner.pk]), heirs).status_code == 422
    assert Project.objects.filter(owner=owner, deleted_at=None).count() == 2
    owner.refresh_from_db()
    assert owner.is_active


def test_project_that_is_handed_on_stays(
    trained: ModelVersion, owner: User, stranger: User, as_administrator: Client
) -> None:
    project = trained.project
    address = reverse("user_delete", args=[owner.pk])
    wrong = as_administrator.post(address, {f"heir-{project.pk}": "nobody"})
    assert wrong.status_code == 422
    owner.refresh_from_db()
    assert owner.is_active
    members.add_member(project, "stranger", Role.VIEWER, by=owner)
    assert as_administrator.post(address, {f"heir-{project.pk}": "stranger"}).status_code == 302
    let_days_pass()
    reap()
    project.refresh_from_db()
    assert (project.owner, project.deleted_at) == (stranger, None)
    assert project.memberships.count() == 0
    assert not User.objects.filter(pk=owner.pk).exists()
    assert Sample.objects.filter(project=project, created_by=None).count() == 18
    trained.refresh_from_db()
    assert trained.created_by is None


def test_user_deletes_the_own_account_with_the_password(
    administrator: User, filled: Project, owner: User, as_owner: Client
) -> None:
    assert "Colours" in as_owner.get(reverse("account_delete")).content.decode()
    assert as_owner.post(reverse("account_delete"), {"password": "wrong"}).status_code == 422
    assert as_owner.get(reverse("account")).status_code == 200
    assert as_owner.post(reverse("account_delete"), {"password": PASSWORD}).status_code == 302
    assert as_owner.get(reverse("account")).status_code == 302
    assert Account.objects.get(user=owner).deleted_at


def test_user_deletes_the_own_account_over_the_api(administrator: User, owner: User, client: Client) -> None:
    _, key = create_api_key(owner, "test")
    headers = {"Authorization": f"Bearer {key}"}
    for wrong in ("", "?username=head", "?username=Owner"):
        assert client.delete(f"/api/v1/account{wrong}", headers=headers).status_code == 422
    owner.refresh_from_db()
    assert owner.is_active
    assert client.delete("/api/v1/account?username=owner", headers=headers).status_code == 204
    assert Account.objects.get(user=owner).deleted_at
    assert client.delete("/api/v1/account?username=owner", headers=headers).status_code == 401


def test_session_alone_does_not_delete_the_account(administrator: User, owner: User, as_owner: Client) -> None:
    assert as_owner.delete("/api/v1/account?username=owner").status_code == 401
    owner.refresh_from_db()
    assert owner.is_active


def test_last_administrator_stays_over_the_api(administrator: User, client: Client) -> None:
    _, key = create_api_key(administrator, "test")
    answer = client.delete("/api/v1/account?username=head", headers={"Authorization": f"Bearer {key}"})
    assert "last administrator" in answer.json()["error"]
    administrator.refresh_from_db()
    assert administrator.is_active


def test_password_is_not_guessed_there(filled: Project, owner: User, as_owner: Client) -> None:
    for _ in range(7):
        page = as_owner.post(reverse("account_delete"), {"password": "wrong"}).content.decode()
    assert "Too many attempts" in page


def test_last_administrator_stays(administrator: User, as_administrator: Client) -> None:
    page = as_administrator.post(reverse("account_delete"), {"password": PASSWORD})
    assert page.status_code == 409
    assert "last administrator" in page.content.decode()
    administrator.refresh_from_db()
    assert administrator.is_active


def purge_all() -> None:
    """Do what the reaper and a worker do."""
    purging.purge_expired()
    for job in Job.objects.filter(kind=DELETE.name, status__in=Job.OPEN):
        run_job(job.pk)
    closing.purge_expired_accounts()


def test_account_goes_for_good_at_once(filled: Project, owner: User, as_administrator: Client) -> None:
    as_administrator.post(reverse("user_delete", args=[owner.pk]))
    page = as_administrator.post(reverse("user_purge", args=[owner.pk]), {"at_once": "ownr"}, follow=True)
    assert "That is not the user name of this account." in page.content.decode()
    purge_all()
    assert User.objects.filter(pk=owner.pk).exists()
    page = as_administrator.post(reverse("user_purge", args=[owner.pk]), {"at_once": "owner"}, follow=True)
    assert "is being deleted for good" in page.content.decode()
    purge_all()
    assert not User.objects.filter(pk=owner.pk).exists()
    assert not Project.objects.exists()


def test_account_that_is_in_use_is_not_deleted_for_good(owner: User, as_administrator: Client) -> None:
    page = as_administrator.post(reverse("user_purge", args=[owner.pk]), {"at_once": "owner"}, follow=True)
    assert "This account is not in the trash." in page.content.decode()


def test_account_goes_for_good_at_once_over_the_api(
    filled: Project, owner: User, administrator: User, client: Client
) -> None:
    headers = {"Authorization": f"Bearer {create_api_key(administrator, 'test')[1]}"}
    assert client.delete("/api/v1/users/owner?at_once=other", headers=headers).status_code == 422
    owner.refresh_from_db()
    assert owner.is_active
    assert client.delete("/api/v1/users/owner?at_once=owner", headers=headers).status_code == 204
    purge_all()
    assert not User.objects.filter(pk=owner.pk).exists()


def test_everything_of_the_account_goes_for_good(
    filled: Project, owner: User, stranger: User, administrator: User
) -> None:
    create_api_key(owner, "test")
    add_webhook(owner, "https://example.org/hook")
    teams.create_team("Colours", by=owner)
    second_factor.begin(owner)
    identities.connect(owner, identities.Person("https://login.example.org", "1", "owner"))
    theirs = create_project("Theirs", by=stranger)
    members.add_member(theirs, "owner", Role.EDITOR, by=stranger)
    closing.delete_account(owner, by=administrator)
    closing.purge_expired_accounts()
    assert User.objects.filter(pk=owner.pk).exists()  # its days are not over
    let_days_pass()
    closing.purge_expired_accounts()
    assert User.objects.filter(pk=owner.pk).exists()  # its projects are still there
    reap()
    for model in (ApiKey, Webhook, Team, TOTPDevice, ExternalIdentity):
        assert not model.objects.exists()
    assert not User.objects.filter(pk=owner.pk).exists()
    assert Project.objects.get() == theirs
    assert theirs.memberships.count() == 0


def test_pictures_in_projects_of_others_stay_without_a_name(owner: User, stranger: User, administrator: User) -> None:
    theirs = create_project("Theirs", by=stranger)
    add_pictures(theirs, {"red/1.jpg": make_jpeg(1, size=(8, 8))})
    Sample.objects.update(created_by=owner)
    closing.delete_account(owner, by=administrator)
    let_days_pass()
    reap()
    assert Sample.objects.get().created_by is None


def custom(owner: User, name: str, **values: Any) -> CustomBackbone:
    default_storage.save(f"networks/{name}/graph.tflite", ContentFile(b"x"))
    spec = {"text": opened().spec.dump(), "files": ["graph.tflite"]}
    return CustomBackbone.objects.create(owner=owner, title=name, source="nowhere", name=name, spec=spec, **values)


def test_backbones_that_others_need_stay(
    trained: ModelVersion, owner: User, stranger: User, administrator: User
) -> None:
    needed, unneeded, imported = (custom(stranger, f"net_{number:020}") for number in range(3))
    CustomBackbone.objects.filter(pk=imported.pk).update(project=trained.project)
    ModelVersion.objects.filter(pk=trained.pk).update(backbone=needed.name)
    closing.delete_account(stranger, by=administrator)
    let_days_pass()
    reap()
    assert not User.objects.filter(pk=stranger.pk).exists()
    assert set(CustomBackbone.objects.values_list("name", "owner")) == {(needed.name, None), (imported.name, None)}
    assert default_storage.exists(f"networks/{needed.name}/graph.tflite")
    assert not default_storage.exists(f"networks/{unneeded.name}/graph.tflite")
