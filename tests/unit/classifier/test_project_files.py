"""A project that moves to another site is the same there: its pictures, its history, its versions and their answers."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.backends.base.base import NO_DB_ALIAS
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import (
    Alias,
    ApiKey,
    AuditEntry,
    Change,
    Contribution,
    CustomBackbone,
    Embedding,
    Finding,
    Image,
    ImageClass,
    Job,
    Membership,
    ModelVersion,
    Project,
    Sample,
    ShareLink,
    Upload,
)
from classifier.models.custom_backbone import backbone_file_path
from classifier.roles import Role
from classifier.selectors import live_version
from classifier.services import changes, classes, members, model_versions, samples, share_links, trash
from classifier.services.accounts import create_api_key
from classifier.services.backups import rows as all_rows
from classifier.services.custom_backbones import find_backbone
from classifier.services.file_checks import list_files
from classifier.services.model_versions import fingerprint
from classifier.services.portable import snapshot
from classifier.services.prediction import AnsweringVersion, answer
from classifier.services.project_files.tables import TABLES
from classifier.services.project_settings import change_settings
from classifier.services.projects import create_project
from classifier.services.reproduction import request_reproduction
from classifier.services.training import request_training
from classifier.storage import store_once
from ml.backbones.spec import LITE, BackboneSpec
from ml.engines.embeddings import embedding_key
from ml.training.config import TrainConfig, parse_config
from tests.datasets import coloured_pictures
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures
from tests.unit.classifier.project_contents import read_content, read_rows
from worker.run import run_job

# What a snapshot sees has been committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the snapshot the one name of a connection that Django's tests let through."""
    monkeypatch.setattr(snapshot, "ALIAS", NO_DB_ALIAS)


def run(command: str, *arguments: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=out, **options)
    return out.getvalue()


def other_site(*, with_people: bool = True) -> None:
    """Become another site: without any rows and files of this one, and with ids that this one did not have."""
    with transaction.atomic():
        all_rows.delete_rows(apps)
    for path in list(list_files("")):
        default_storage.delete(path)
    if with_people:
        head = User.objects.create_user("head")
        other = create_project("Other", by=head, slug="other")
        add_pictures(other, coloured_pictures(3, seed=5000, names=("red", "green")))
        User.objects.create_user("owner")


def train(project: Project, **config: Any) -> Job:
    """Train for real on the tiny backbone; return the job that has ended."""
    Sample.objects.filter(project=project).update(is_compared=True)
    wanted = TrainConfig(backbone="testing", **config)
    job = request_training(project, wanted, by=project.owner, force=True)
    run_job(job.pk)
    for child in job.children.order_by("pk"):
        run_job(child.pk)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, (job.error, job.error_detail)
    return job


@pytest.fixture
def moving(filled: Project) -> Project:
    """Make a project that has a little of everything that people do."""
    by = filled.owner
    train(filled)
    kinds = {row.name: row for row in filled.classes.all()}
    classes.edit_class(kinds["red"], by=by, name="crimson")
    classes.edit_class(kinds["red"], by=by, colour="#aa0000", description="As wine.")
    classes.edit_class(kinds["green"], by=by, colour="#00aa00")
    first, second, third, fourth = filled.samples.filter(image_class=kinds["red"])[:4]
    samples.move_samples(filled, samples.pick(filled, [first.pk]), to=kinds["green"], by=by)
    act = samples.set_group(filled, samples.pick(filled, [second.pk, third.pk]), "pair", by=by)
    changes.undo(act, by=by)
    samples.add_tag(filled, samples.pick(filled, [third.pk]), "check", by=by)
    add_pictures(filled, {f"violet/{n}.jpg": make_jpeg(9000 + n, colour=(150, 40, 200)) for n in range(3)})
    violet = filled.classes.get(name="violet")
    classes.merge_class(violet, into=kinds["blue"], by=by)
    samples.delete_samples(filled, samples.pick(filled, [fourth.pk]), by=by)
    number = train(filled, seed=3).result["model_version"]
    version = filled.model_versions.get(number=number)
    model_versions.describe_version(version, name="Better", note="Of Monday.", pinned=True)
    model_versions.promote(version, by=by)
    Alias.objects.create(project=filled, name="first", model_version=filled.model_versions.get(number=1))
    trashed = filled.model_versions.get(number=train(filled, seed=7).result["model_version"])
    trash.delete_version(trashed)
    change_settings(filled, least_accuracy=60, not_worse=True)
    found = {
        "project": filled,
        "kind": "wrong_label",
        "score": 0.9,
        "details": {"predicted": kinds["blue"].pk, "confidence": 0.9},
    }
    given = {"image_class": kinds["green"], "dismissed_at": timezone.now(), "dismissed_by": by}
    Finding.objects.create(sample=first, **found, **given)
    Finding.objects.create(sample=second, **found)
    User.objects.create_user("editor")
    members.add_member(filled, "editor", Role.EDITOR, by=by)
    share_links.create_link(filled, by=by)
    return filled


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "moved.zip"


def probabilities(version: ModelVersion | None) -> list[Any]:
    assert version is not None
    names = dict(version.project.classes.values_list("pk", "name"))
    answering = AnsweringVersion(version.number, version.backbone, version.artifact_digest, names)
    pictures = [make_jpeg(77), *coloured_pictures(2, seed=70).values()]
    return [(one.classes, one.reason, one.likeness) for one in answer(answering, pictures).answers]


def test_project_is_the_same_on_another_site(moving: Project, path: Path) -> None:
    before = probabilities(live_version(moving))
    said = run("export_project", moving.slug, path)
    assert "share links" in said
    assert path.stat().st_mode & 0o077 == 0
    other_site()
    said = run("import_project", path, "--owner", "owner")
    project = Project.objects.get(slug="colours")
    assert project.get_absolute_url() in said
    assert probabilities(live_version(project)) == before
    assert "0 missing or damaged, 0 orphans" in run("check_files")
    again = path.with_name("again.zip")
    run("export_project", "colours", again)
    first, second = read_content(path), read_content(again)
    assert first.keys() == second.keys()
    for name in first:
        assert second[name] == first[name], name


def test_training_again_computes_nothing_and_finds_its_version(moving: Project, path: Path) -> None:
    assert train(moving, seed=3).result["unchanged"]
    run("export_project", moving.slug, path)
    other_site()
    run("import_project", path, "--owner", "owner")
    project, embeddings = Project.objects.get(slug="colours"), Embedding.objects.count()
    assert embeddings
    job = train(project, seed=3)
    assert (job.result["unchanged"], job.result["model_version"]) == (True, 2)
    assert not job.children.exists()
    assert Embedding.objects.count() == embeddings
    for version in project.model_versions.all():
        assert version.fingerprint == fingerprint(version.dataset_version, parse_config(version.config))


def test_training_again_there_is_the_same_bit_for_bit(moving: Project, path: Path) -> None:
    run("export_project", moving.slug, path)
    other_site()
    run("import_project", path, "--owner", "owner")
    version = ModelVersion.objects.get(project__slug="colours", number=2)
    job = request_reproduction(version, by=version.project.owner)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.result["identical"], job.result


def test_history_can_be_undone_there(moving: Project, path: Path) -> None:
    red = moving.classes.get(name="crimson")
    inside = red.samples.filter(deleted_at=None).count()
    run("export_project", moving.slug, path)
    other_site()
    run("import_project", path, "--owner", "owner")
    project = Project.objects.get(slug="colours")
    act = project.changes.get(kind=Change.Kind.MOVE)
    changes.undo(act, by=project.owner)
    crimson = project.classes.get(name="crimson")
    assert crimson.samples.filter(deleted_at=None).count() == inside + 1
    changes.undo(project.changes.get(kind=Change.Kind.RENAME_CLASS), by=project.owner)
    assert project.classes.get(pk=crimson.pk).name == "red"
    changes.undo(project.changes.get(kind=Change.Kind.MERGE_CLASS), by=project.owner)
    assert project.classes.get(name="violet").samples.count() == 3


def test_pages_of_what_came_open(moving: Project, path: Path) -> None:
    run("export_project", moving.slug, path)
    other_site()
    run("import_project", path, "--owner", "owner")
    client = Client()
    client.force_login(User.objects.get(username="owner"))
    addresses = [
        reverse("project", args=["colours"]),
        reverse("history", args=["colours"]),
        *(reverse(page, args=["colours", number]) for page in ("version", "version_evaluation") for number in (1, 2)),
        *(job.get_absolute_url() for job in Job.objects.filter(project__slug="colours")),
        *(upload.get_absolute_url() for upload in Upload.objects.filter(project__slug="colours")),
    ]
    assert len(addresses) > 8
    for address in addresses:
        assert client.get(address).status_code == 200, address


def test_findings_that_were_dismissed_stay_so(moving: Project, path: Path) -> None:
    run("export_project", moving.slug, path)
    other_site()
    run("import_project", path, "--owner", "owner")
    project = Project.objects.get(slug="colours")
    finding = Finding.objects.get(project=project)
    assert (finding.dismissed_at is None, finding.details) == (
        False,
        {"predicted": project.classes.get(name="blue").pk, "confidence": 0.9},
    )
    client = Client()
    client.force_login(project.owner)
    page = client.get(reverse("check_kind", args=["colours", "wrong_label"]), {"dismissed": ""})
    assert page.status_code == 200
    assert finding.sample
    assert finding.sample.image.sha256 in page.content.decode()


def test_what_is_of_the_old_site_stays_there(moving: Project, path: Path) -> None:
    create_api_key(moving.owner, "robot")
    AuditEntry.objects.all().delete()
    run("export_project", moving.slug, path)
    assert AuditEntry.objects.get().action == "project.exported"
    other_site()
    AuditEntry.objects.all().delete()
    run("import_project", path, "--owner", "owner")
    assert "project.imported" in set(AuditEntry.objects.values_list("action", flat=True))
    for model in (Membership, ShareLink, ApiKey, Contribution):
        assert not model.objects.exists(), model  # type: ignore[attr-defined]
    project = Project.objects.get(slug="colours")
    assert not Sample.objects.filter(project=project).exclude(deleted_at=None).exists()
    assert not ModelVersion.every.filter(project=project).exclude(deleted_at=None).exists()
    assert not Change.objects.filter(project=project).exclude(created_by=project.owner).exists()


def test_who_brought_pictures_in_is_kept_by_name(moving: Project, path: Path) -> None:
    run("export_project", moving.slug, path)
    other_site()
    run("import_project", path, "--owner", "head")
    uploads = Upload.objects.filter(project__slug="colours")
    assert {upload.source for upload in uploads} == {"test (by owner)"}
    assert {upload.created_by.username for upload in uploads if upload.created_by} == {"head"}


def test_beside_the_original_it_has_its_own_rows_and_the_same_pictures(moving: Project, path: Path) -> None:
    images = set(Image.objects.values_list("pk", "created_at"))
    run("export_project", moving.slug, path)
    said = run("import_project", path, "--owner", "editor", "--name", "Colours of the editor")
    copy = Project.objects.get(owner__username="editor")
    assert (copy.name, copy.slug.startswith("colours-of-the-editor-")) == ("Colours of the editor", True)
    assert set(Image.objects.values_list("pk", "created_at")) == images
    kept = moving.samples.filter(deleted_at=None).count()
    assert f"{kept} pictures, of which {kept} were here" in said
    assert probabilities(live_version(copy)) == probabilities(live_version(moving))
    trash.delete_project(copy)
    assert "0 missing or damaged" in run("check_files")


def test_missing_and_damaged_pictures_are_left_out_and_told(moving: Project, path: Path) -> None:
    gone, damaged = [sample.image for sample in moving.samples.filter(deleted_at=None)[:2]]
    default_storage.delete(gone.path)
    default_storage.save(damaged.path, ContentFile(b"no picture"))
    said = run("export_project", moving.slug, path)
    assert all(image.sha256 in said for image in (gone, damaged))
    kept = moving.samples.filter(deleted_at=None).count() - 2
    other_site()
    run("import_project", path, "--owner", "owner")
    project = Project.objects.get(slug="colours")
    assert project.samples.count() == kept
    assert "0 missing or damaged" in run("check_files")


def test_damaged_picture_of_the_target_becomes_whole(moving: Project, path: Path) -> None:
    image = moving.samples.filter(deleted_at=None)[0].image
    run("export_project", moving.slug, path)
    default_storage.save(image.path, ContentFile(b"no picture"))
    Image.objects.filter(pk=image.pk).update(damaged_at="2026-11-27T10:00:00Z")
    run("import_project", path, "--owner", "owner")
    assert "0 missing or damaged" in run("check_files")
    assert not Image.objects.exclude(damaged_at=None).exists()


def test_missing_artifact_keeps_the_file_from_being_written(moving: Project, path: Path) -> None:
    default_storage.delete(f"artifacts/{moving.model_versions.get(number=1).artifact_digest}/evaluation.npz")
    with pytest.raises(CommandError, match="A file of version 1 is missing"):
        run("export_project", moving.slug, path)
    assert not list(path.parent.glob("*.zip"))
    assert not list(path.parent.glob(".*"))


def test_file_is_not_written_over_and_not_of_a_project_in_the_trash(moving: Project, path: Path) -> None:
    path.write_text("Dear")
    with pytest.raises(CommandError, match="is there already"):
        run("export_project", moving.slug, path)
    trash.delete_project(moving)
    with pytest.raises(CommandError, match="There is no project"):
        run("export_project", moving.slug, path.with_name("other.zip"))


def test_embeddings_by_networks_of_others_do_not_go_along(moving: Project, path: Path) -> None:
    image = moving.samples.filter(deleted_at=None)[0].image
    Embedding.objects.create(image=image, key=f"{'0' * 40}-p1", vector=b"\0" * 8)
    run("export_project", moving.slug, path)
    known = find_backbone("testing").digest[:40]
    assert {row["key"].partition("-")[0] for row in read_rows(path)["embeddings"]} == {known}


NETWORK = b"a network"


def add_network(version: ModelVersion, **values: Any) -> BackboneSpec:
    """Let a version answer with a network that somebody has added."""
    spec = BackboneSpec(LITE, hashlib.sha256(NETWORK).hexdigest(), 64, 20, "litert", title="Own")
    store_once(backbone_file_path(spec.name, LITE), NETWORK)
    text = {"text": spec.dump(), "files": [LITE]}
    CustomBackbone.objects.create(title="Own", name=spec.name, spec=text, size=len(NETWORK), **values)
    ModelVersion.objects.filter(pk=version.pk).update(backbone=spec.name)
    return spec


@pytest.fixture
def own_weights(settings: Any, tmp_path: Path) -> None:
    settings.ML = replace(settings.ML, weights_dir=tmp_path / "weights")


@pytest.mark.usefixtures("own_weights")
def test_networks_of_versions_go_along(trained: ModelVersion, path: Path, settings: Any, tmp_path: Path) -> None:
    spec = add_network(trained, owner=trained.project.owner)
    CustomBackbone.objects.create(owner=trained.project.owner, title="Not needed", name=f"net_{'0' * 20}", spec=None)
    key = embedding_key(find_backbone(spec.name).digest)
    image = trained.project.samples.all()[0].image
    Embedding.objects.create(image=image, key=key, vector=b"\0" * 80)
    run("export_project", "colours", path)
    other_site()
    settings.ML = replace(settings.ML, weights_dir=tmp_path / "there")
    run("import_project", path, "--owner", "owner")
    row = CustomBackbone.objects.get()
    assert (row.name, row.title, row.project, row.size) == (spec.name, "Own", None, len(NETWORK))
    assert row.owner == User.objects.get(username="owner")
    assert Embedding.objects.get().key == key
    assert "0 missing or damaged" in run("check_files")


@pytest.mark.usefixtures("own_weights")
def test_network_that_the_owner_has_is_not_there_twice(trained: ModelVersion, path: Path) -> None:
    add_network(trained, owner=trained.project.owner)
    run("export_project", "colours", path)
    run("import_project", path, "--owner", "owner")
    assert CustomBackbone.objects.count() == 1


@pytest.mark.usefixtures("own_weights")
def test_damaged_network_keeps_the_file_from_being_written(trained: ModelVersion, path: Path) -> None:
    spec = add_network(trained, owner=trained.project.owner)
    default_storage.save(backbone_file_path(spec.name, LITE), ContentFile(b"another"))
    with pytest.raises(CommandError, match="A file of Own is damaged"):
        run("export_project", "colours", path)
    assert not path.exists()


def test_class_that_only_a_dataset_version_knows_goes_along(trained: ModelVersion, path: Path) -> None:
    red = trained.project.classes.get(name="red")
    for sample in trained.project.samples.filter(image_class=red):
        sample.delete()
    red.delete()
    before = probabilities(trained)
    run("export_project", "colours", path)
    other_site()
    run("import_project", path, "--owner", "owner")
    version = ModelVersion.objects.get(project__slug="colours")
    assert version.project.classes.exclude(deleted_at=None).get().name == "red"
    assert probabilities(version) == before
    assert "0 missing or damaged" in run("check_files")


def test_every_column_is_told_of() -> None:
    """Hold all columns that name other rows to rows that are in the file; what is not has to be left out."""
    for table in TABLES.values():
        assert "?" not in {column.names for column in table.columns()}, table.name


def test_fingerprints_that_nothing_gives_again_stay_apart(moving: Project, path: Path) -> None:
    ModelVersion.objects.filter(project=moving, number=1).update(fingerprint="stopped 12")
    run("export_project", moving.slug, path)
    other_site()
    run("import_project", path, "--owner", "owner")
    assert ModelVersion.objects.get(project__slug="colours", number=1).fingerprint == "stopped elsewhere 1"


def test_empty_project_moves(project: Project, path: Path) -> None:
    run("export_project", project.slug, path)
    other_site()
    run("import_project", path, "--owner", "owner")
    assert Project.objects.get(slug=project.slug).samples.count() == 0


def test_classes_keep_the_colours_in_which_they_are_shown(moving: Project, path: Path) -> None:
    shown = {row.name: row.shown_colour for row in moving.classes.all()}
    run("export_project", moving.slug, path)
    other_site()
    run("import_project", path, "--owner", "owner")
    rows = ImageClass.objects.filter(project__slug="colours")
    assert {row.name: row.shown_colour for row in rows} == shown
