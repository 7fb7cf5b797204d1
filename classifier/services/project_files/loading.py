"""The rows of a project's file become rows of this site. To be called in one transaction.

Ids are given anew in the order of the old ones, in which classes stand in dataset versions.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.utils import timezone
from pydantic import ValidationError

from classifier.jobs.kinds import IMPORT, KINDS, TRAIN
from classifier.jobs.state import JobState
from classifier.models import CustomBackbone, ImageClass, Job, Project
from classifier.services.images import ensure_images
from classifier.services.project_files.known_backbones import list_features, prefix_of
from classifier.services.project_files.opening import ProjectFile, damaged
from classifier.services.project_files.storing import is_sha256, read_network
from classifier.services.project_files.tables import TABLES
from classifier.services.project_files.translating import (
    colour_here,
    translate_change,
    translate_finding,
    translate_sample_change,
)
from classifier.services.project_files.versions import VersionLoader
from classifier.services.project_files.writing import Ids, Row, RowWriter, check_value, new_id, wrong
from classifier.services.project_settings import FIELDS as SETTINGS
from classifier.services.project_settings import SettingsRefused, change_settings
from classifier.services.projects import RESERVED_SLUGS, clean_name, create_project
from ml.backbones.spec import Origin
from ml.images.decoding import ImageFacts

AT_ONCE = 1000
BROUGHT_BY = " (by {})"  # behind what an upload was, where somebody else than the new owner did it


class Loader:
    """Brings the rows of one file in.

    Args:
        name: of the project; empty for the one that it had.
        trust_networks: whether fine-tuned networks may run in the site's own processes, as those made here do.
    """

    def __init__(self, file: ProjectFile, owner: User, *, name: str, trust_networks: bool) -> None:
        self._file, self._owner, self._name, self._trust = file, owner, name, trust_networks
        self._ids: Ids = {}
        self._prepare: dict[str, Callable[[Row], Row | None]] = {
            "embeddings": self._known_embedding,
            "uploads": self._named_upload,
            "jobs": _checked_job,
            "backbones": self._network,
            "own_backbones": self._own_network,
            "findings": lambda row: translate_finding(row, self._ids),
            "changes": lambda row: translate_change(row, self._ids),
            "sample_changes": lambda row: translate_sample_change(row, self._ids),
        }
        self._features: dict[str, int] = {}
        self.paths: list[str] = []  # of files that have been written, and wait to be synced

    def load(self) -> Project:
        """Insert all rows, and return the project. Raise ProjectFileRefused."""
        self._project = self._load_project()
        for name, load in self._steps():
            self._ids.setdefault(name, {})
            load(name)
        return self._project

    def _steps(self) -> Iterator[tuple[str, Callable[[str], None]]]:
        versions = VersionLoader(self._file, self._ids, self.paths)
        special = {
            "classes": self._load_classes,
            "images": self._load_images,
            "dataset_versions": lambda name: self._load_rows(name, versions.dataset),
            "model_versions": lambda name: self._load_rows(name, versions.version),
        }
        return ((name, special.get(name, self._load_rows)) for name in TABLES if name != "project")

    def _writer(self, name: str, row: Row, **fixed: Any) -> RowWriter:
        model = TABLES[name].model
        if name != "own_backbones" and any(field.name == "project" for field in model._meta.concrete_fields):
            fixed["project_id"] = self._project.pk
        return RowWriter(TABLES[name], row, self._ids, self._owner, **fixed)

    def _rows(self, name: str, prepare: Callable[[Row], Row | None] | None) -> Iterator[Row]:
        prepare = prepare or self._prepare.get(name)
        for row in self._file.rows(name):
            try:
                prepared = row if prepare is None else prepare(row)
            except (KeyError, TypeError, AttributeError, ValueError):
                raise damaged(f"rows/{name}.jsonl") from None
            if prepared is not None:
                yield prepared

    def _load_rows(self, name: str, prepare: Callable[[Row], Row | None] | None = None) -> None:
        rows = self._rows(name, prepare)
        first = next(rows, None)
        if first is None:
            return
        writer, rows = self._writer(name, first), _chain(first, rows)
        if not TABLES[name].has_ids:
            writer.insert_many(rows, known_ones_stay=name in ("measures", "embeddings"))
            return
        for row in rows:
            self._remember(name, row, writer.insert(row))

    def _remember(self, name: str, row: Row, pk: int) -> None:
        if type(row.get("id")) is not int or row["id"] in self._ids[name]:
            raise damaged(f"rows/{name}.jsonl")
        self._ids[name][row["id"]] = pk

    # --- what is not as in any table -------------------------------------------------------------------

    def _load_project(self) -> Project:
        row = next(self._file.rows("project"), None)
        if row is None:
            raise damaged("rows/project.jsonl")
        columns = {column.name: column for column in TABLES["project"].columns()}
        values = {
            name: check_value(TABLES["project"], columns[name], value)
            for name, value in row.items()
            if value is not None
        }
        if not {"name", "slug", "created_at"} <= set(values):
            raise damaged("rows/project.jsonl")
        slug = values["slug"]
        is_free = slug not in RESERVED_SLUGS and not Project.objects.filter(slug=slug).exists()
        name = clean_name(self._name or values["name"], longest=100)
        project = create_project(name, by=self._owner, slug=slug if is_free else "")
        Project.objects.filter(pk=project.pk).update(created_at=values["created_at"])
        try:
            change_settings(project, **{name: values[name] for name in SETTINGS if name in values})
        except SettingsRefused:
            raise wrong(TABLES["project"], "settings") from None
        return project

    def _load_classes(self, name: str) -> None:
        """Insert classes in the order of their ids."""
        try:
            rows = _list_classes(self._file)
        except (KeyError, TypeError, ValueError):
            raise damaged(f"rows/{name}.jsonl") from None
        for pk in sorted(rows):
            row: Row = {**rows[pk], "colour": colour_here(rows[pk]["colour"], pk)}
            self._remember(name, row, self._writer(name, row, merged_into_id=None).insert(row))
        for pk, one in rows.items():
            if one.get("merged_into_id") is not None:
                into = new_id(self._ids, name, one["merged_into_id"])
                ImageClass.objects.filter(pk=self._ids[name][pk]).update(merged_into=into)

    def _load_images(self, name: str) -> None:
        rows = self._rows(name, None)
        columns = {column.name: column for column in TABLES[name].columns()}
        while part := list(islice(rows, AT_ONCE)):
            for row in part:
                for column in ("width", "height", "size"):
                    check_value(TABLES[name], columns[column], row[column])
            facts = [ImageFacts(row["sha256"], row["width"], row["height"], row["format"], row["size"]) for row in part]
            new, known = ensure_images(facts)
            ids = {**new, **known}
            for row in part:
                self._remember(name, row, ids[row["sha256"]])

    # --- what is looked at before it is inserted -------------------------------------------------------

    def _known_embedding(self, row: Row) -> Row | None:
        """Leave out embeddings by backbones that are not here; a wrong one would be used by other projects too."""
        if not self._features:
            own = [one["name"] for table in ("backbones", "own_backbones") for one in self._file.rows(table)]
            self._features = list_features(own)
        features = self._features.get(prefix_of(row["key"]))
        if features is None:
            return None
        vector = check_value(TABLES["embeddings"], _VECTOR, row["vector"])
        if len(vector) != 4 * features or not np.isfinite(np.frombuffer(vector, "<f4")).all():
            raise wrong(TABLES["embeddings"], "vector")
        return {**row, "vector": vector}

    def _named_upload(self, row: Row) -> Row:
        """Keep the name of whoever brought pictures in, who may have no account here."""
        who, source = row.get("created_by"), row["source"]
        if who and who != self._owner.username and not source.endswith(")"):
            source = source[:200] + BROUGHT_BY.format(who[:90])
        return {**row, "source": source}

    def _network(self, row: Row) -> Row:
        spec, names = read_network(dict(row))
        known = CustomBackbone.objects.filter(name=spec.name, spec__isnull=False).first()
        if known is None and spec.origin == Origin.FINE_TUNED and not self._trust:
            spec = replace(spec, origin=Origin.UPLOADED)
        text = known.spec["text"] if known and known.spec else spec.dump()
        size = sum(self._file.manifest.files[f"networks/{spec.name}/{name}"].size for name in names)
        return {**row, "spec": {"text": text, "files": names}, "size": size, "owner": self._owner.username}

    def _own_network(self, row: Row) -> Row | None:
        own = CustomBackbone.objects.filter(owner=self._owner, project=None, name=row["name"])
        return None if own.exists() else self._network(row)


def _chain(first: Row, others: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from others


def _list_classes(file: ProjectFile) -> dict[int, Row]:
    """Return the rows of classes by their id, with those that only dataset versions know any more."""
    rows: dict[int, Row] = {int(row["id"]): row for row in file.rows("classes")}
    for version in file.rows("dataset_versions"):
        for pk, label in version["classes"]:
            rows.setdefault(int(pk), _gone_class(int(pk), label))
    return rows


def _gone_class(pk: int, label: Any) -> Row:
    now = timezone.now().isoformat()
    return {
        **{"id": pk, "name": label, "description": "", "colour": "", "position": 0, "in_training": True},
        **{"is_negative": False, "deleted_at": now, "created_at": now},
    }


def _checked_job(row: Row) -> Row:
    """Check that a job is one that made a version and has ended, and that its page can show it."""
    row = TABLES["jobs"].clean(dict(row)) if TABLES["jobs"].clean else row
    if row["kind"] not in (TRAIN.name, IMPORT.name) or row["status"] in Job.OPEN:
        raise wrong(TABLES["jobs"], "kind")
    stored = row["state"].get("event_files")
    if stored is not None and not is_sha256(stored["sha256"]):
        raise wrong(TABLES["jobs"], "state")
    try:
        KINDS[row["kind"]].result.model_validate(row["result"])
        JobState.model_validate(row["state"])
    except ValidationError:
        raise wrong(TABLES["jobs"], "result") from None
    return row


_VECTOR = next(column for column in TABLES["embeddings"].columns() if column.name == "vector")
