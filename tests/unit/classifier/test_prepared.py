"""Prepared queries answer as the ORM does, for values that were not there when they were written."""

import pytest
from django.contrib.auth.models import User

from classifier.models import ApiKey, Project
from classifier.prepared import PreparedObjects, PreparedQuery, any_of
from classifier.selectors import list_projects
from classifier.services.accounts import KEYS, create_api_key, hash_api_key, revoke_api_key

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
def test_prepared_objects_are_those_of_the_orm() -> None:
    """Times, truth values and numbers come as the ORM gives them, and those of the related object too."""
    owner = User.objects.create_user("ann", email="ann@example.org")
    row, key = create_api_key(owner, "x", days=3)
    for _ in range(2):
        [found] = KEYS.objects(hash_api_key(key))
        expected = ApiKey.objects.select_related("user").get(pk=row.pk)
        assert [getattr(found, field.attname) for field in ApiKey._meta.concrete_fields] == [
            getattr(expected, field.attname) for field in ApiKey._meta.concrete_fields
        ]
        assert [getattr(found.user, field.attname) for field in User._meta.concrete_fields] == [
            getattr(expected.user, field.attname) for field in User._meta.concrete_fields
        ]
        assert type(found.expires_at) is type(expected.expires_at)
        assert found.user.is_active is True


@pytest.mark.services
def test_prepared_objects_see_what_has_changed() -> None:
    row, key = create_api_key(User.objects.create_user("ann"), "x")
    assert list(KEYS.objects(hash_api_key(key))) == [row]
    revoke_api_key(row)
    assert list(KEYS.objects(hash_api_key(key))) == []


@pytest.mark.services
def test_prepared_objects_can_be_saved() -> None:
    owner = User.objects.create_user("ann")
    Project.objects.create(owner=owner, name="P", slug="p", up_to_date=True)
    [project] = PreparedObjects(Project, lambda slug: Project.objects.filter(slug=slug), str).objects("p")
    assert (project.up_to_date, project.owner) == (True, owner)
    project.name = "Q"
    project.save()
    assert Project.objects.get().name == "Q"


@pytest.mark.services
def test_list_of_any_length_finds_what_is_in_it() -> None:
    owner = User.objects.create_user("ann")
    made = [Project.objects.create(owner=owner, name="P", slug=slug) for slug in ("a'b", "ö%s", "other")]
    numbers = [*range(1_000_000, 1_300_000), *(project.pk for project in made[:2])]
    assert set(Project.objects.filter(pk__in=any_of(numbers))) == set(made[:2])
    assert set(Project.objects.filter(slug__in=any_of(["a'b", "ö%s"]))) == set(made[:2])
    assert not Project.objects.filter(pk__in=any_of([])).exists()
