"""The first page: one's projects, with some of their pictures."""

import re

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier.models import Project
from classifier.services.projects import create_project
from classifier.views.home import STRIP


def test_each_project_shows_its_newest_pictures(filled: Project, as_owner: Client) -> None:
    create_project("Empty", by=filled.owner)
    page = as_owner.get(reverse("project_list")).content.decode()
    shown = re.findall(rf"/projects/{filled.slug}/images/([0-9a-f]{{64}})/160", page)
    newest = filled.samples.filter(deleted_at=None).order_by("-pk").values_list("image__sha256", flat=True)
    assert shown == list(newest[: len(STRIP)])
    assert page.count("/160") == len(STRIP)
    assert "Empty" in page


def test_pictures_in_the_trash_are_not_shown(filled: Project, as_owner: Client) -> None:
    newest = filled.samples.order_by("-pk").select_related("image").first()
    assert newest is not None
    filled.samples.filter(pk=newest.pk).update(deleted_at=newest.created_at)
    assert newest.image.sha256 not in as_owner.get(reverse("project_list")).content.decode()


def test_list_asks_the_database_as_often_for_many_projects(
    filled: Project, as_owner: Client, django_assert_max_num_queries: object
) -> None:
    for number in range(10):
        create_project(f"Project {number}", by=filled.owner)
    as_owner.get(reverse("project_list"))  # the first request of a session notes where it is
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        assert as_owner.get(reverse("project_list")).status_code == 200


def test_others_see_nothing_of_it(filled: Project, client: Client) -> None:
    client.force_login(User.objects.create_user("somebody"))
    assert "/160" not in client.get(reverse("project_list")).content.decode()
