"""Prepared queries answer as the ORM does, for values that were not there when they were written."""

import pytest
from django.contrib.auth.models import User

from classifier.models import Project
from classifier.prepared import PreparedQuery, any_of
from classifier.selectors import list_projects

pytestmark = pytest.mark.django_db

BY_SLUG = PreparedQuery(
    lambda user, slug: list_projects(User(pk=user)).filter(slug=slug).values_list("id", "slug"), int, str
)


def test_prepared_query_takes_new_values_each_time() -> None:
    users = [User.objects.create_user(name) for name in ("ann", "ben")]
    projects = [Project.objects.create(owner=user, name="P", slug=f"of-{user.username}") for user in users]
    for user, project in zip(users, projects, strict=True):
        assert BY_SLUG.rows(user.pk, project.slug) == [(project.pk, project.slug)]
    assert BY_SLUG.rows(users[0].pk, projects[1].slug) == []


def test_prepared_query_quotes_its_values() -> None:
    owner = User.objects.create_user("ann")
    Project.objects.create(owner=owner, name="P", slug="p")
    assert BY_SLUG.rows(owner.pk, "' OR 1=1 --") == []
    assert BY_SLUG.rows(owner.pk, "%s") == []


def test_prepared_query_keeps_what_is_no_value() -> None:
    fixed = PreparedQuery(lambda slug: Project.objects.filter(name="P", slug=slug).values_list("name"), str)
    owner = User.objects.create_user("ann")
    Project.objects.create(owner=owner, name="P", slug="p")
    Project.objects.create(owner=owner, name="Other", slug="other")
    assert fixed.rows("p") == [("P",)]
    assert fixed.rows("other") == []


@pytest.mark.services
def test_list_of_any_length_finds_what_is_in_it() -> None:
    owner = User.objects.create_user("ann")
    made = [Project.objects.create(owner=owner, name="P", slug=slug) for slug in ("a'b", "ö%s", "other")]
    numbers = [*range(1_000_000, 1_300_000), *(project.pk for project in made[:2])]
    assert set(Project.objects.filter(pk__in=any_of(numbers))) == set(made[:2])
    assert set(Project.objects.filter(slug__in=any_of(["a'b", "ö%s"]))) == set(made[:2])
    assert not Project.objects.filter(pk__in=any_of([])).exists()
