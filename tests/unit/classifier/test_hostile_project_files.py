"""Files that no site has written, or that came otherwise than they went, are refused in a sentence and leave no row."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db.backends.base.base import NO_DB_ALIAS
from django.utils import timezone

from classifier import disk
from classifier.models import CustomBackbone, Image, ModelVersion, Project, Sample
from classifier.services import samples
from classifier.services.custom_backbones import find_backbone
from classifier.services.portable import snapshot
from classifier.services.project_files import loading
from classifier.services.project_files.loading import Loader
from classifier.storage import store_once
from ml.backbones.spec import LITE, BackboneSpec, Origin
from tests.unit.classifier.conftest import store_fake_embeddings
from tests.unit.classifier.test_project_files import other_site, run

pytestmark = pytest.mark.django_db(transaction=True)

Entries = dict[str, bytes]
Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "ALIAS", NO_DB_ALIAS)


@pytest.fixture
def path(trained: ModelVersion, tmp_path: Path) -> Path:
    """Write the file of a project with some history, and become another site."""
    project = trained.project
    kinds = {row.name: row for row in project.classes.all()}
    first = project.samples.filter(image_class=kinds["red"])[0]
    samples.move_samples(project, samples.pick(project, [first.pk]), to=kinds["green"], by=project.owner)
    store_fake_embeddings(project)
    run("export_project", project.slug, tmp_path / "moved.zip")
    other_site()
    return tmp_path / "moved.zip"


def read(path: Path) -> Entries:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, entries: Entries, kind: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def told(entries: Entries) -> dict[str, Any]:
    return dict(json.loads(entries["manifest.json"]))


def seal(entries: Entries, manifest: dict[str, Any] | None = None) -> Entries:
    """Let the manifest say what the entries are, as somebody does who knows the format."""
    manifest = manifest or told(entries)
    for name, part in manifest["tables"].items():
        data = entries[f"rows/{name}.jsonl"]
        part |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "rows": len(data.splitlines()) - 1}
    for name, part in manifest["files"].items():
        part["sha256"] = hashlib.sha256(entries[f"files/{name}"]).hexdigest()
    return {**entries, "manifest.json": json.dumps(manifest).encode()}


def forge(path: Path, table: str, change: Callable[[Rows], object]) -> None:
    """Change rows of a table."""
    entries = read(path)
    columns, *values = map(json.loads, entries[f"rows/{table}.jsonl"].splitlines())
    rows = [dict(zip(columns, row, strict=True)) for row in values]
    change(rows)
    columns = list(rows[0]) if rows else columns
    lines = [columns, *([row[column] for column in columns] for row in rows)]
    entries[f"rows/{table}.jsonl"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    write(path, seal(entries))


def refused(path: Path, sentence: str) -> None:
    before = Project.objects.count(), Sample.objects.count(), Image.objects.count(), CustomBackbone.objects.count()
    with pytest.raises(CommandError, match=sentence) as error:
        run("import_project", path, "--owner", "owner")
    assert "Traceback" not in str(error.value)
    after = Project.objects.count(), Sample.objects.count(), Image.objects.count(), CustomBackbone.objects.count()
    assert after == before


def test_forged_file_that_changes_nothing_is_brought_in(path: Path) -> None:
    forge(path, "samples", lambda rows: None)
    run("import_project", path, "--owner", "owner")
    assert Sample.objects.filter(project__slug="colours").count() == 18


# --- the file as a whole -------------------------------------------------------------------------------


def test_other_files_are_no_project_files(path: Path) -> None:
    path.with_name("letter.txt").write_text("Dear")
    refused(path.with_name("letter.txt"), "This is no project file")
    refused(path.with_name("nowhere.zip"), "There is no file")
    refused(path.parent, "There is no file")
    write(path, {"red/1.jpg": b"picture"})
    refused(path, "This is no project file")
    write(path, {"manifest.json": b'{"format": 1}'})
    refused(path, "This is no project file")
    write(path, {"manifest.json": b"[" * 100_000})
    refused(path, "This is no project file")


@pytest.mark.parametrize("left", [0.01, 0.3, 0.9, 0.999])
def test_truncated_file_is_refused(path: Path, left: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * left)])
    refused(path, "This is no project file, or not all of it")


@pytest.mark.parametrize(
    "prefix", ["pictures/", "rows/samples", "files/datasets/", "files/artifacts/", "files/summaries/"]
)
def test_changed_byte_is_found(path: Path, prefix: str) -> None:
    with zipfile.ZipFile(path) as archive:
        entry = next(one for one in archive.infolist() if one.filename.startswith(prefix))
        with archive.open(entry) as file:
            data = file.read()
    start = path.read_bytes().find(data)
    changed = bytearray(path.read_bytes())
    changed[start + len(data) // 2] ^= 1
    path.write_bytes(changed)
    refused(path, "The file is damaged")


@pytest.mark.parametrize(
    "prefix", ["pictures/", "rows/samples", "files/datasets/", "files/artifacts/", "files/summaries/"]
)
def test_other_content_under_the_same_name_is_found(path: Path, prefix: str) -> None:
    entries = read(path)
    name = next(name for name in entries if name.startswith(prefix))
    write(path, {**entries, name: entries[name] + b" "})
    refused(path, "The file is damaged")
    del entries[name]
    write(path, entries)
    refused(path, "not whole")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../evil", "outside of itself"),
        ("files/../../evil", "outside of itself"),
        ("/etc/evil", "outside of itself"),
        ("files\\..\\evil", "outside of itself"),
        ("files/more", "does not name"),
        ("pictures/../evil", "outside of itself"),
        ("pictures/more", "another number of pictures"),
    ],
)
def test_entries_that_do_not_belong_are_refused(path: Path, name: str, sentence: str) -> None:
    write(path, {**read(path), name: b"evil"})
    refused(path, sentence)


def test_compressed_and_doubled_entries_are_refused(path: Path) -> None:
    entries = read(path)
    write(path, entries, zipfile.ZIP_DEFLATED)
    refused(path, "This is no project file")
    write(path, entries)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("manifest.json", entries["manifest.json"])
    refused(path, "This is no project file")


@pytest.mark.parametrize("change", [{"format": 2, "extra": 1}, {"migrations": ["classifier.9999_next"]}])
def test_file_of_a_newer_program_is_refused(path: Path, change: dict[str, Any]) -> None:
    entries = read(path)
    entries["manifest.json"] = json.dumps({**told(entries), **change, "program": "9.9"}).encode()
    write(path, entries)
    refused(path, r"newer version 9\.9")


@pytest.mark.parametrize("change", [{"extra": 1}, {"pictures": "many"}, {"tables": {"samples": {}}}])
def test_manifest_that_is_otherwise_is_refused(path: Path, change: dict[str, Any]) -> None:
    entries = read(path)
    entries["manifest.json"] = json.dumps({**told(entries), **change}).encode()
    write(path, entries)
    refused(path, "manifest.json is not as it should be")


def test_unknown_tables_and_columns_are_refused(path: Path) -> None:
    entries = read(path)
    manifest = told(entries)
    manifest["tables"]["auth_user"] = manifest["tables"]["samples"] | {}
    write(path, seal({**entries, "rows/auth_user.jsonl": entries["rows/samples.jsonl"]}, manifest))
    refused(path, "a table that this program does not know: auth_user")
    write(path, entries)
    forge(path, "samples", lambda rows: [row.update(password="x") for row in rows])
    refused(path, r"a column that this program does not know: samples\.password")
    write(path, entries)
    forge(path, "samples", lambda rows: [row.update(project_id=1) for row in rows])
    refused(path, r"samples\.project_id")


def test_older_file_is_brought_in_where_what_it_lacks_has_a_default(path: Path) -> None:
    forge(path, "samples", lambda rows: [row.pop("tags") for row in rows])
    forge(path, "model_versions", lambda rows: [row.pop("pinned") for row in rows])
    run("import_project", path, "--owner", "owner")
    assert set(Sample.objects.filter(project__slug="colours").values_list("tags", flat=True)) == {""}


def test_older_file_that_lacks_more_is_refused(path: Path) -> None:
    forge(path, "samples", lambda rows: [row.pop("created_at") for row in rows])
    refused(path, "older version of PoetsWeb, which has no samples.created_at")


# --- rows ----------------------------------------------------------------------------------------------


def set_first(**values: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[0].update(values)


def set_all(**values: Any) -> Callable[[Rows], None]:
    return lambda rows: [row.update(values) for row in rows] and None


@pytest.mark.parametrize(
    ("table", "values", "sentence"),
    [
        ("samples", {"image_id": 999_999}, "a row of the table images that is not in it"),
        ("samples", {"image_class_id": 999_999}, "a row of the table classes that is not in it"),
        ("samples", {"image_class_id": []}, "a row of the table classes that is not in it"),
        ("samples", {"image_id": None}, "samples.image_id cannot have"),
        ("samples", {"split": "exam"}, "samples.split cannot have"),
        ("samples", {"group": "g" * 300}, "samples.group cannot have"),
        ("samples", {"file_name": "a\0b"}, "damaged"),
        ("samples", {"file_name": "a\ud800b"}, "do not fit together"),
        ("samples", {"created_at": "yesterday"}, "samples.created_at cannot have"),
        ("samples", {"id": "one"}, "damaged"),
        ("project", {"slug": "../x"}, "project.slug cannot have"),
        ("project", {"name": "a\tb"}, "control character"),
        ("project", {"least_accuracy": 200}, "project.settings cannot have"),
        ("classes", {"merged_into_id": 999_999}, "a row of the table classes"),
        ("classes", {"name": ""}, "do not fit together"),
        ("images", {"sha256": "../../evil"}, "damaged"),
        ("images", {"sha256": "0" * 64}, "not whole"),
        ("images", {"format": "exe"}, "damaged"),
        ("images", {"width": -1}, "images.width cannot have"),
        ("jobs", {"kind": "delete"}, "jobs.kind cannot have"),
        ("jobs", {"status": "QUEUED"}, "jobs.kind cannot have"),
        ("jobs", {"result": {"model_version": "many"}}, "jobs.result cannot have"),
        ("jobs", {"state": {"event_files": {"sha256": "../../evil", "size": 1}}}, "damaged"),
        ("changes", {"kind": "explode"}, "changes.kind cannot have"),
        ("changes", {"details": {}}, "changes.details cannot have"),
        ("changes", {"details": {"to": "x", "class": 999_999}}, "a row of the table classes"),
        ("changes", {"classes": {"999999": [{}, {}]}}, "a row of the table classes"),
        ("changes", {"classes": {"1": [{"project_id": 1}, {}]}}, "cannot have"),
        ("changes", {"undoes_id": 999_999}, "a row of the table changes"),
        ("sample_changes", {"before": {"project_id": 1}}, "cannot have"),
        ("sample_changes", {"after": {"image_class_id": 999_999}}, "a row of the table classes"),
        ("sample_changes", {"after": {"deleted_at": "soon"}}, "cannot have"),
        ("sample_changes", {"after": {"split": "exam"}}, "cannot have"),
        ("sample_changes", {"after": []}, "cannot have"),
        ("dataset_versions", {"digest": "../../evil"}, "dataset_versions.digest cannot have"),
        ("dataset_versions", {"classes": 1}, "damaged"),
        ("model_versions", {"artifact_digest": "../../evil"}, "model_versions.config cannot have"),
        ("model_versions", {"artifact_digest": "0" * 64}, "damaged"),
        ("model_versions", {"config": {}}, "model_versions.config cannot have"),
        ("model_versions", {"config": {"recipe": "auto", "backbone": "testing", "x": 1}}, "settings that this program"),
        ("model_versions", {"backbone": "evil"}, "model_versions.config cannot have"),
        ("model_versions", {"metrics": []}, "damaged"),
        ("aliases", {"name": "../x"}, "aliases.name cannot have"),
        ("embeddings", {"vector": "AAAA"}, "embeddings.vector cannot have"),
        ("embeddings", {"vector": "no base64!"}, "embeddings.vector cannot have"),
    ],
)
def test_forged_row_is_refused(path: Path, table: str, values: dict[str, Any], sentence: str) -> None:
    forge(path, table, set_first(**values))
    refused(path, sentence)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kind": "explode"}, "findings.kind cannot have"),
        ({"details": []}, "findings.kind cannot have"),
        ({"details": {"predicted": 999_999}}, "a row of the table classes"),
        ({"details": {"share": {}}}, "findings.details cannot have"),
        ({"sample_id": 999_999}, "a row of the table samples"),
        ({"kind": "wrong_label", "details": {"confidence": "high"}}, "findings.details cannot have"),
        ({"kind": "wrong_label"}, "findings.details cannot have"),
        ({"kind": "giveaway", "details": {"share": float("nan")}}, "findings.details cannot have"),
        ({"kind": "few_test", "details": {"count": True}}, "findings.details cannot have"),
        ({"kind": "few_test", "details": {"count": 10**400}}, "findings.details cannot have"),
        ({"kind": "few_test", "details": {"count": 3}}, "findings.kind cannot have"),  # of which class?
        ({}, "findings.kind cannot have"),  # of which picture?
    ],
)
def test_forged_finding_is_refused(path: Path, values: dict[str, Any], sentence: str) -> None:
    row = {"kind": "tiny", "sample_id": None, "image_class_id": None, "score": 1.0, "details": {}, **values}
    forge(path, "findings", lambda rows: rows.append({**row, "dismissed_at": None, "dismissed_by": None}))
    refused(path, sentence)


@pytest.mark.parametrize(("name", "value"), [("width", 1), ("height", 9999), ("size", 1), ("format", "WEBP")])
def test_picture_that_is_not_what_its_row_says_is_refused(path: Path, name: str, value: Any) -> None:
    forge(path, "images", set_first(**{name: value}))
    refused(path, f"images.{name} cannot have")


def test_pictures_beyond_the_limits_of_this_site_are_set_aside(path: Path, settings: Any) -> None:
    settings.IMAGE_LIMITS = replace(settings.IMAGE_LIMITS, max_pixels=1)
    assert "cannot read 18 of the pictures" in run("import_project", path, "--owner", "owner")
    assert Image.objects.filter(damaged_at=None, samples__project__slug="colours").count() == 0
    assert Sample.objects.filter(project__slug="colours").count() == 18


def test_more_bytes_than_the_file_says_are_refused(path: Path) -> None:
    entries = read(path)
    manifest = told(entries)
    write(path, seal(entries, {**manifest, "picture_bytes": manifest["picture_bytes"] - 1}))
    refused(path, "damaged: manifest.json")


def test_job_names_no_file_that_a_purge_would_delete(path: Path) -> None:
    forge(path, "jobs", set_all(config={"archive": "images/00/evil", "recipe": "auto"}, state={"checkpoint": "evil"}))
    run("import_project", path, "--owner", "owner")
    job = Project.objects.get(slug="colours").jobs.get()
    assert "archive" not in job.config
    assert "checkpoint" not in job.state


def test_embeddings_by_unknown_backbones_are_left_out(path: Path) -> None:
    forge(path, "embeddings", set_all(key=f"{'0' * 40}-p1"))
    run("import_project", path, "--owner", "owner")
    assert not Project.objects.get(slug="colours").samples.filter(image__embeddings__isnull=False).exists()


@pytest.mark.parametrize("others", [lambda pk: 999_999 + pk, lambda pk: -pk, None])
def test_artifact_whose_classes_are_others_is_refused(path: Path, others: Callable[[int], int] | None) -> None:
    entries = read(path)
    name = next(name for name in entries if name.endswith("/manifest.json"))
    manifest = json.loads(entries[name])
    listed = manifest["classes"]
    manifest["classes"] = [[others(pk), label] for pk, label in listed] if others else listed[::-1]
    data = json.dumps(manifest).encode()
    digest, old = hashlib.sha256(data).hexdigest(), name.split("/")[2]
    moved = {key.replace(old, digest): value for key, value in entries.items()} | {name.replace(old, digest): data}
    moved["manifest.json"] = entries["manifest.json"].replace(old.encode(), digest.encode())
    moved["rows/model_versions.jsonl"] = entries["rows/model_versions.jsonl"].replace(old.encode(), digest.encode())
    write(path, seal(moved))
    refused(path, "damaged: the artifact of version 1")


# --- networks ------------------------------------------------------------------------------------------


def add_network(path: Path, **values: Any) -> BackboneSpec:
    """Put a network into the file that says that it was fine-tuned there."""
    data = b"a network"
    spec = BackboneSpec(
        LITE, hashlib.sha256(data).hexdigest(), 64, 20, "litert", title="Tuned", origin=Origin.FINE_TUNED
    )
    row = {
        **{"owner": "somebody", "title": "Tuned", "source": "testing", "licence": "", "name": spec.name},
        **{"spec": {"text": spec.dump(), "files": [LITE]}, "size": 9, "litert_refusal": "", "is_offered": True},
        **{"created_at": timezone.now().isoformat(), **values},
    }
    entries, stored = read(path), f"networks/{spec.name}/{LITE}"
    manifest = told(entries)
    manifest["files"][stored] = {"sha256": "", "size": len(data)}
    lines = json.dumps(list(row)).encode() + b"\n" + json.dumps(list(row.values())).encode() + b"\n"
    write(path, seal({**entries, f"files/{stored}": data, "rows/backbones.jsonl": lines}, manifest))
    return spec


@pytest.fixture
def own_weights(settings: Any, tmp_path: Path) -> None:
    settings.ML = replace(settings.ML, weights_dir=tmp_path / "weights")


@pytest.mark.usefixtures("own_weights")
@pytest.mark.parametrize("trusted", [False, True])
def test_fine_tuned_networks_run_confined_unless_they_are_trusted(path: Path, trusted: bool) -> None:
    spec = add_network(path)
    run("import_project", path, "--owner", "owner", *(["--trust-networks"] if trusted else []))
    row = CustomBackbone.objects.get()
    assert (row.project and row.project.slug, row.owner and row.owner.username) == ("colours", "owner")
    assert find_backbone(spec.name).is_trusted is trusted
    assert "0 missing or damaged" in run("check_files")


@pytest.mark.usefixtures("own_weights")
@pytest.mark.parametrize(
    "values",
    [
        {"name": "net_00000000000000000000"},
        {"spec": {"text": "{}", "files": [LITE]}},
        {"spec": None},
        {"spec": {"text": "[", "files": ["../../evil"]}},
    ],
)
def test_network_that_is_not_what_its_row_says_is_refused(path: Path, values: dict[str, Any]) -> None:
    add_network(path, **values)
    refused(path, "damaged")


@pytest.mark.usefixtures("own_weights")
def test_network_with_other_bytes_is_refused(path: Path) -> None:
    spec = add_network(path)
    entries = read(path)
    write(path, seal({**entries, f"files/networks/{spec.name}/{LITE}": b"another"}))
    refused(path, "damaged")


# --- room, and interruptions ---------------------------------------------------------------------------


def test_quota_of_the_owner_is_kept(path: Path, settings: Any) -> None:
    settings.QUOTA_USER_PICTURES = 17
    refused(path, "room for 17 pictures, which is too little: this one has 18 pictures")
    settings.QUOTA_USER_PICTURES = 18
    run("import_project", path, "--owner", "owner")


def test_full_disk_is_told_before_anything_is_stored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(default_storage.listdir("images")[0])
    monkeypatch.setattr(disk, "free_bytes", lambda: 1000)
    refused(path, "not enough room")
    assert sorted(default_storage.listdir("images")[0]) == before


def test_nobody_is_no_owner(path: Path) -> None:
    User.objects.filter(username="owner").update(is_active=False)
    refused(path, "no active user 'owner'")


def test_interrupted_import_leaves_no_rows_and_is_begun_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Project.objects.count(), Image.objects.count(), User.objects.count()
    load = Loader._load_rows

    def fail(self: Any, name: str, *rest: Any) -> None:
        load(self, name, *rest)
        if name == "model_versions":
            raise KeyboardInterrupt

    monkeypatch.setattr(Loader, "_load_rows", fail)
    with pytest.raises(KeyboardInterrupt):
        run("import_project", path, "--owner", "owner")
    assert (Project.objects.count(), Image.objects.count(), User.objects.count()) == before
    monkeypatch.setattr(Loader, "_load_rows", load)
    assert "18 pictures, of which 18 were here" in run("import_project", path, "--owner", "owner")
    assert "0 missing or damaged" in run("check_files")


def test_files_of_an_interrupted_import_are_orphans(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Loader, "load", fail)
    with pytest.raises(KeyboardInterrupt):
        run("import_project", path, "--owner", "owner")
    monkeypatch.setattr("classifier.services.file_checks.ORPHAN_AGE", timedelta(0))
    out = io.StringIO()
    call_command("check_files", "--repair", stdout=out)
    assert "0 missing or damaged, 19 orphans" in out.getvalue()  # with the event files
    assert "0 missing or damaged, 0 orphans" in run("check_files")


def test_picture_that_others_delete_meanwhile_is_stored_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = read(path)
    sha256 = next(name for name in entries if name.startswith("pictures/")).partition("/")[2]
    stored = f"images/{sha256[:2]}/{sha256}"
    store_once(stored, entries[f"pictures/{sha256}"])
    load = Loader.load

    def delete_then_load(self: Loader) -> Project:
        default_storage.delete(stored)
        return load(self)

    monkeypatch.setattr(loading.Loader, "load", delete_then_load)
    run("import_project", path, "--owner", "owner")
    assert default_storage.exists(stored)
