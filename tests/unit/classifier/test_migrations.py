"""A database in the field comes along, forwards and backwards, with all its files."""

import json
from collections.abc import Callable, Iterator

import pytest
from django.apps.registry import Apps
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from classifier.jobs.state import read_state
from classifier.models import CustomBackbone, Image, Job, Project, Sample, StageTime
from classifier.services.images import read_file, read_picture
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def migrate(transactional_db: None) -> Iterator[Callable[[str], None]]:
    """Give a function that migrates the database to a state; at the end it is brought to the newest one."""

    def to(*targets: tuple[str, str]) -> None:
        MigrationExecutor(connection).migrate(list(targets))

    yield lambda name: to(("classifier", name))
    to(*MigrationExecutor(connection).loader.graph.leaf_nodes())


def in_many_folders(image: Image) -> str:
    return f"images/{image.sha256[:2]}/{image.sha256[2:4]}/{image.sha256}"


def test_pictures_move_to_fewer_folders_and_back(project: Project, migrate: Callable[[str], None]) -> None:
    files = coloured_pictures(2)
    add_pictures(project, files)
    images = list(Image.objects.all())
    migrate("0001_first")
    for image in images:
        assert default_storage.exists(in_many_folders(image))
        assert not default_storage.exists(image.path)

    default_storage.delete(in_many_folders(images[0]))  # lost before: no reason to stop
    migrate("0002_fewer_picture_folders")
    assert {read_picture(image) for image in images[1:]} <= set(files.values())
    assert not default_storage.exists(images[0].path)


def test_moving_that_was_broken_off_goes_on(project: Project, migrate: Callable[[str], None]) -> None:
    add_pictures(project, coloured_pictures(2))
    images = list(Image.objects.all())
    migrate("0001_first")
    moved = images[0]
    default_storage.save(moved.path, ContentFile(read_file(in_many_folders(moved))))
    default_storage.delete(in_many_folders(moved))
    migrate("0002_fewer_picture_folders")
    assert all(read_picture(image) for image in images)


def apps_at(name: str) -> Apps:
    """Return the models as they were at a migration."""
    return MigrationExecutor(connection).loader.project_state(("classifier", name)).apps


def test_measured_rates_become_those_of_their_stage(project: Project, migrate: Callable[[str], None]) -> None:
    migrate("0024_audit")
    job = apps_at("0024_audit").get_model("classifier", "Job")
    config = {"backbone": "testing", "fine_tuning": "last"}
    state = {
        "tuning_seconds": 9.5,
        "measured": {"fine_tuning_rate": 40.0, "fine_tuning_pictures": 200, "step_rate": 50},
    }
    ended = {"kind": "train", "status": "SUCCEEDED", "finished_at": timezone.now()}
    made = job.objects.create(project_id=project.pk, config=config, state=state, **ended)
    migrate("0026_measured_stage_times")
    kept = StageTime.objects.get()
    assert (kept.depends, kept.rate, kept.seconds) == ("backbone=testing fine_tuning=last", 40.0, 5.0)
    now = Job.objects.only("state").get(pk=made.pk)
    assert read_state(now).measured["step_rate"] == 50
    migrate("0024_audit")
    assert job.objects.get(pk=made.pk).state["measured"] == state["measured"]


FACTS = {
    "promote": True,
    "model_version": 3,
    "unchanged": False,
    "head_seconds": 1.5,
    "tuned_rate": 40.0,
    "summaries": {"sha256": "a" * 64, "size": 12},
    "checkpoint": "checkpoints/1",
}
OLD_CONFIG = {"recipe": "poets", "backbone": "testing", "random_crop": 5, "distorted_views": 2}
NEW_CONFIG = {"recipe": "sgd", "backbone": "testing", "random_crop": 5, "augmented_copies": 2}


def test_jobs_get_a_result_a_state_and_numbers_and_back(project: Project, migrate: Callable[[str], None]) -> None:
    migrate("0006_public_links")
    jobs = apps_at("0006_public_links").get_model("classifier", "Job").objects
    train = jobs.create(project_id=project.pk, kind="train", facts=FACTS, config=OLD_CONFIG, stage="answer", losses=2)
    part = jobs.create(project_id=project.pk, parent=train, kind="embed", config={"view": {"number": 1}})
    export = jobs.create(project_id=project.pk, kind="export")

    migrate("0011_words_of_configs")
    rows = apps_at("0011_words_of_configs").get_model("classifier", "Job").objects.in_bulk()
    now = rows[train.pk]
    assert now.result == {"model_version": 3, "unchanged": False}
    assert now.state == {
        "promote": True,
        "checkpoint": "checkpoints/1",
        "measured": {"head_seconds": 1.5, "fine_tuning_rate": 40.0},
        "event_files": {"sha256": "a" * 64, "size": 12},
    }
    assert (now.stage, now.worker_deaths, now.config) == ("extract", 2, NEW_CONFIG)
    assert rows[part.pk].config == {"augmentation": {"number": 1}}
    assert [rows[job.pk].number for job in (train, part, export)] == [1, None, 2]

    migrate("0006_public_links")
    train.refresh_from_db()
    part.refresh_from_db()
    assert (train.facts, train.config, train.stage, train.losses) == (FACTS, OLD_CONFIG, "answer", 2)
    assert part.config == {"view": {"number": 1}}


def test_backbones_get_their_origin_and_back(project: Project, migrate: Callable[[str], None]) -> None:
    migrate("0006_public_links")
    old = apps_at("0006_public_links")
    job = old.get_model("classifier", "Job").objects.create(project_id=project.pk, kind="train")
    made = {"owner_id": project.owner_id, "title": "t", "source": "s", "why": "no such operation"}
    text = json.dumps({"name": "net_a"}, sort_keys=True)
    fine_tuned = {"project_id": project.pk, "job": job}
    cases = {"uploaded": {}, "imported": {"project_id": project.pk}, "fine_tuned": fine_tuned}
    networks = {
        origin: old.get_model("classifier", "Network").objects.create(
            **made, **case, name=f"net_{origin}", spec={"text": text, "files": []}
        )
        for origin, case in cases.items()
    }

    migrate("0011_words_of_configs")
    custom = apps_at("0011_words_of_configs").get_model("classifier", "CustomBackbone").objects.in_bulk()
    for origin, network in networks.items():
        assert json.loads(custom[network.pk].spec["text"]) == {"name": "net_a", "origin": origin}
        assert custom[network.pk].litert_refusal == "no such operation"

    migrate("0006_public_links")
    for network in networks.values():
        network.refresh_from_db()
        assert (network.spec, network.why) == ({"text": text, "files": []}, "no such operation")


def test_keys_get_a_scope_and_limited_ones_are_revoked_on_the_way_back(
    project: Project, migrate: Callable[[str], None]
) -> None:
    migrate("0011_words_of_configs")
    old = apps_at("0011_words_of_configs").get_model("classifier", "ApiKey").objects
    before = old.create(user_id=project.owner_id, name="old", prefix="pw_", digest="a")
    migrate("0012_key_scopes")
    keys = apps_at("0012_key_scopes").get_model("classifier", "ApiKey").objects
    assert (keys.get().scope, keys.get().expires_at) == ("everything", None)
    limited = keys.create(user_id=project.owner_id, name="new", prefix="pw_", digest="b", scope="classify")
    migrate("0011_words_of_configs")
    assert dict(old.values_list("pk", "revoked_at"))[before.pk] is None
    assert dict(old.values_list("pk", "revoked_at"))[limited.pk] is not None


def test_every_migration_can_be_undone(project: Project, migrate: Callable[[str], None]) -> None:
    """Take rows of today's code to the first version and back, and lose none."""
    add_pictures(project, coloured_pictures(1))
    migrate("0001_first")
    migrate("0013_set_up_code")
    assert Sample.objects.filter(project=project).count() == Image.objects.count() > 0


def test_pictures_without_a_class_get_one_for_the_code_before(project: Project, migrate: Callable[[str], None]) -> None:
    add_pictures(project, coloured_pictures(1))
    project.samples.filter(file_name__startswith="red").update(image_class=None)
    migrate("0018_background_jobs")
    rows = apps_at("0018_background_jobs").get_model("classifier", "Sample").objects
    assert sorted(rows.values_list("image_class__name", flat=True)) == ["blue", "green", "unlabelled"]
    migrate("0020_unlabelled_class")
    assert project.samples.filter(image_class=None).count() == 0
    assert project.samples.count() == 3


def test_backbones_without_an_owner_get_one_on_the_way_back(
    project: Project, migrate: Callable[[str], None], django_user_model: type[User]
) -> None:
    django_user_model.objects.create_superuser("head")
    for name, of in (("free", None), ("imported", project)):
        CustomBackbone.objects.create(owner=None, project=of, title=name, source="nowhere", name=name)
    migrate("0034_share_links")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, username FROM classifier_custombackbone b JOIN auth_user u ON u.id = b.owner_id ORDER BY name"
        )
        assert cursor.fetchall() == [("free", "head"), ("imported", "owner")]
