"""What is beyond a quota is refused with a sentence that says it, and nothing else is."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier.models import Job, Project, Sample, UploadItem
from classifier.services import quotas, users
from classifier.services.accounts import create_api_key
from classifier.services.projects import create_project
from classifier.services.resumable import Announced, begin
from classifier.services.samples import delete_samples, purge_samples
from tests.archive_files import make_zip
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures
from worker.run import run_job


def pictures(count: int, first: int = 0) -> dict[str, bytes]:
    return {f"red/{number}.jpg": make_jpeg(number, size=(8, 8)) for number in range(first, first + count)}


def statuses(outcomes: list[Any]) -> list[str]:
    return [outcome.status for outcome in outcomes]


def test_nothing_is_limited_by_default(project: Project) -> None:
    assert statuses(add_pictures(project, pictures(5))) == ["stored"] * 5


def test_files_beyond_are_refused_and_the_others_come_in(project: Project, settings: Any) -> None:
    settings.QUOTA_PROJECT_PICTURES = 3
    outcomes = add_pictures(project, pictures(5))
    assert statuses(outcomes) == ["stored"] * 3 + ["rejected"] * 2
    assert outcomes[-1].reason.startswith("A project has room for 3 pictures, and that is used up. Delete some")
    assert Sample.objects.count() == 3
    assert UploadItem.objects.filter(status="rejected").count() == 2


def test_upload_to_a_full_project_is_refused_at_once(project: Project, as_owner: Client, settings: Any) -> None:
    settings.QUOTA_PROJECT_PICTURES = 3
    add_pictures(project, pictures(3))
    with pytest.raises(quotas.QuotaUsedUp, match="3 pictures"):
        add_pictures(project, pictures(1, first=10))
    with pytest.raises(quotas.QuotaUsedUp):
        begin(project, Announced("more.zip", 9), by=project.owner)
    started = as_owner.post(reverse("upload_start", args=[project.slug]))
    assert (started.status_code, "3 pictures" in started.content.decode()) == (409, True)
    for name in ("1.jpg", "all.zip"):
        sent = {"file": SimpleUploadedFile(name, make_jpeg(20)), "class": "red"}
        answer = as_owner.post(f"/api/v1/projects/{project.slug}/uploads", sent)
        assert (answer.status_code, "3 pictures" in answer.json()["error"]) == (409, True)


def test_what_is_there_already_is_none_too_many(project: Project, settings: Any) -> None:
    settings.QUOTA_PROJECT_PICTURES = 4
    add_pictures(project, pictures(3))
    again = pictures(3) | {"red/copy.jpg": make_jpeg(0, size=(8, 8))} | pictures(2, first=10)
    assert statuses(add_pictures(project, again)) == ["duplicate"] * 4 + ["stored", "rejected"]


def test_trash_counts_until_it_is_emptied(project: Project, settings: Any) -> None:
    settings.QUOTA_PROJECT_PICTURES = 3
    add_pictures(project, pictures(3))
    delete_samples(project, Sample.objects.all(), by=None)
    with pytest.raises(quotas.QuotaUsedUp):
        quotas.check_quota(project)
    purge_samples(project)
    assert statuses(add_pictures(project, pictures(3, first=10))) == ["stored"] * 3


def test_quota_of_a_user_is_of_all_their_projects(project: Project, owner: User, stranger: User, settings: Any) -> None:
    settings.QUOTA_USER_PICTURES = 4
    add_pictures(project, pictures(3))
    outcomes = add_pictures(create_project("More", by=owner), pictures(2, first=10))
    assert statuses(outcomes) == ["stored", "rejected"]
    assert "All projects of owner together have room for 4 pictures" in outcomes[1].reason
    assert statuses(add_pictures(create_project("Theirs", by=stranger), pictures(2))) == ["stored"] * 2


def test_bytes_are_limited(project: Project, settings: Any) -> None:
    settings.QUOTA_PROJECT_GB = 1
    add_pictures(project, pictures(1))
    image = Sample.objects.get().image
    type(image).objects.filter(pk=image.pk).update(size=2**30 - 10)
    outcomes = add_pictures(project, pictures(1, first=10))
    assert statuses(outcomes) == ["rejected"]
    assert "1 GB of pictures" in outcomes[0].reason


@pytest.mark.parametrize(("own", "stored"), [(None, 2), (3, 3), (0, 5)])
def test_quota_of_one_user_overrides_the_setting(
    own: int | None, stored: int, project: Project, stranger: User, settings: Any
) -> None:
    settings.QUOTA_USER_PICTURES = 2
    users.set_quota(project.owner, pictures=own, gb=None, by=stranger)
    project = Project.objects.get()
    assert statuses(add_pictures(project, pictures(5))).count("stored") == stored


def test_archive_takes_what_fits(project: Project, as_owner: Client, settings: Any, tmp_path: Path) -> None:
    settings.QUOTA_PROJECT_PICTURES = 3
    file = SimpleUploadedFile("all.zip", make_zip(tmp_path, pictures(5)).read_bytes())
    answer = as_owner.post(f"/api/v1/projects/{project.slug}/uploads", {"file": file})
    assert answer.status_code == 202, answer.content
    job = Job.objects.get(kind="ingest")
    run_job(job.pk)
    for part in Job.objects.filter(parent=job):
        run_job(part.pk)
    run_job(job.pk)
    assert Sample.objects.count() == 3
    rejected = UploadItem.objects.filter(status="rejected")
    assert {"3 pictures" in item.reason for item in rejected} == {True}


def test_administrator_sets_a_quota_on_the_page(owner: User, stranger: User, as_owner: Client) -> None:
    User.objects.filter(pk=owner.pk).update(is_superuser=True)
    address = reverse("user_quota", args=[stranger.pk])
    given = {"pictures": "1000", "gb": "", "jobs": "5", "requests": "7"}
    assert as_owner.post(address, given).status_code == 302
    stranger.refresh_from_db()
    account = stranger.account
    assert (account.quota_pictures, account.quota_gb, account.quota_jobs, account.quota_requests) == (1000, None, 5, 7)
    assert 'value="1000"' in as_owner.get(reverse("user", args=[stranger.pk])).content.decode()
    assert as_owner.post(address, {"pictures": "-1"}).status_code == 422


@pytest.mark.parametrize(("own", "most"), [(None, 3), (2, 2), (0, 9)])
def test_programs_of_a_user_send_so_many_requests_an_hour(
    own: int | None,
    most: int,
    project: Project,
    owner: User,
    stranger: User,
    client: Client,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(time=lambda: 10**9)
    monkeypatch.setattr(quotas, "time", clock)
    settings.QUOTA_USER_REQUESTS = 3
    users.set_quota(owner, requests=own, by=stranger)
    keys = [create_api_key(owner, "test")[1] for _ in range(2)]

    def ask(key: str) -> Any:
        return client.get("/api/v1/projects", headers={"Authorization": f"Bearer {key}"})

    answers = [ask(keys[number % 2]) for number in range(9)]  # all keys count together
    assert [answer.status_code for answer in answers] == [200] * most + [429] * (9 - most)
    if most < 9:
        assert 0 < int(answers[-1]["Retry-After"]) <= 3600
        assert f"may send {most} requests an hour" in answers[-1].json()["error"]
    assert ask(create_api_key(stranger, "test")[1]).status_code == 200
    client.force_login(owner)
    assert client.get(reverse("project_list")).status_code == 200
    clock.time = lambda: 10**9 + 3600
    assert ask(keys[0]).status_code == 200  # another hour has begun
