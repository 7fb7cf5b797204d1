"""Write a project into a file while the site runs: its rows as they are at one moment, and the files that they name.

Pictures that are missing or damaged are left out with their samples, as if they had been deleted for good. Whatever
else is missing keeps the file from being written, as it would not be the project.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db.models import QuerySet, Sum

from classifier.models import CustomBackbone, DatasetVersion, Image, Job, ModelVersion, Project
from classifier.schema import compare_migrations, list_applied
from classifier.services.audit_log import record
from classifier.services.event_files import event_files_path
from classifier.services.images import read_file
from classifier.services.portable.checks import hash_bytes, pieces_of
from classifier.services.portable.snapshot import take_snapshot
from classifier.services.project_files.known_backbones import known_digests, list_keys
from classifier.services.project_files.manifest import FILES, PICTURES, Manifest, Part, ProjectFileRefused
from classifier.services.project_files.named_files import NamedFile, list_artifact, list_network
from classifier.services.project_files.packing import Packer
from classifier.services.project_files.tables import TABLES, Scope
from ml.backbones.spec import is_custom
from ml.files import open_atomically

AT_ONCE = 16  # pictures that are in memory
TOLD_EVERY = 500  # pictures
Tell = Callable[[int], None]


@dataclass
class Exported:
    """What the file holds, and the sha256s of pictures that it lacks, because the site has lost them."""

    pictures: int = 0
    rows: int = 0
    size: int = 0
    left_out: list[str] = field(default_factory=list)


def export_project(
    project: Project, path: Path, *, by: User | None = None, tell: Tell = lambda pictures: None
) -> Exported:
    """Write the file, which is complete under its name or not there. Raise ProjectFileRefused, OSError.

    `tell` is called now and then with how many pictures are in it; what it raises ends the writing.
    """
    if any(compare_migrations()):
        raise ProjectFileRefused("The database is of another version of the program. Run “manage.py prepare” first.")
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as work,
        take_snapshot(Path(work)) as alias,
        open_atomically(path, mode=0o600) as file,
        Packer(file) as packer,
    ):
        if not Project.objects.using(alias).filter(pk=project.pk, deleted_at=None).exists():
            raise ProjectFileRefused("The project has just been deleted.")
        _check_room(TABLES["images"].read(Scope(project.pk, alias)), path.parent)
        done = _Writer(project, alias, packer, tell).write()
        done.size = file.tell()
    record("project.exported", project, by=by, slug=project.slug)
    return done


def _check_room(images: "QuerySet[Image]", folder: Path) -> None:
    needed = images.aggregate(size=Sum("size"))["size"] or 0
    if needed > shutil.disk_usage(folder).free:
        raise ProjectFileRefused(
            f"The pictures have {needed / 1e9:,.1f} GB, and there is less room where the file goes."
        )


class _Writer:
    """Writes what one project has, as the snapshot shows it."""

    def __init__(self, project: Project, alias: str, packer: Packer, tell: Tell) -> None:
        self._packer, self._tell, self._done = packer, tell, Exported()
        versions = ModelVersion.every.using(alias).filter(project=project, deleted_at=None)
        self._versions = list(versions.order_by("pk"))
        self._digests = known_digests({str(one.config.get("backbone", one.backbone)) for one in self._versions})
        self._customs = _list_customs(project, self._versions, alias)
        self._scope = Scope(project.pk, alias, backbones=[custom.pk for custom in self._customs])
        self._images = TABLES["images"].read(self._scope)

    def write(self) -> Exported:
        left_out, size = self._write_pictures()
        keys = list_keys(self._images, [custom.name for custom in self._customs])
        scope = replace(self._scope, left_out=left_out, keys=keys)
        files = {file.path: file for file in self._list_files()}
        parts = {path: self._copy(files[path]) for path in sorted(files)}
        tables = {table.name: self._packer.add_table(table, scope) for table in TABLES.values()}
        self._done.rows = sum(part.rows for part in tables.values())
        self._packer.finish(
            Manifest(
                made_at=datetime.now(UTC),
                migrations=sorted(list_applied(using=scope.using)),
                tables=tables,
                files=parts,
                pictures=self._done.pictures,
                picture_bytes=size,
                backbones=self._digests,
            )
        )
        return self._done

    def _write_pictures(self) -> tuple[list[int], int]:
        """Write the pictures, and return the ids of those that cannot be read, and the bytes of all others."""
        left_out, size = [], 0
        for image, data in _read_pictures(self._images):
            if data is None:
                left_out.append(image.pk)
                self._done.left_out.append(image.sha256)
                continue
            self._packer.add(f"{PICTURES}{image.sha256}", [data])
            self._done.pictures, size = self._done.pictures + 1, size + len(data)
            if self._done.pictures % TOLD_EVERY == 0:
                self._tell(self._done.pictures)
        return left_out, size

    def _list_files(self) -> Iterator[NamedFile]:
        datasets = DatasetVersion.objects.using(self._scope.using).filter(project=self._scope.project)
        yield from (NamedFile(version.path, version.digest, str(version)) for version in datasets)
        for version in self._versions:
            yield from list_artifact(version)
        for custom in self._customs:
            yield from list_network(custom)
        jobs: QuerySet[Job] = TABLES["jobs"].read(self._scope)
        for number, state in jobs.filter(state__has_key="event_files").values_list("number", "state"):
            sha256 = state["event_files"]["sha256"]
            yield NamedFile(event_files_path(sha256), sha256, f"job {number}")

    def _copy(self, file: NamedFile) -> Part:
        try:
            with default_storage.open(file.path) as source:
                part = self._packer.add(f"{FILES}{file.path}", pieces_of(source))
        except FileNotFoundError:
            part = None
        if part is None or file.sha256 not in ("", part.sha256):
            raise ProjectFileRefused(
                f"A file of {file.about} is {'damaged' if part else 'missing'}. "
                "“manage.py check_files --repair” says what can be done."
            )
        return part


def _read_pictures(images: "QuerySet[Image]") -> Iterator[tuple[Image, bytes | None]]:
    """Yield each image with its bytes; None where they are missing or damaged."""
    rows = images.iterator(chunk_size=1000)
    with ThreadPoolExecutor(AT_ONCE // 2, thread_name_prefix="read") as pool:
        while part := list(islice(rows, AT_ONCE)):
            yield from zip(part, pool.map(_read, part), strict=True)


def _read(image: Image) -> bytes | None:
    if image.damaged_at is not None:
        return None
    try:
        data = read_file(image.path)
    except FileNotFoundError:
        return None
    return data if hash_bytes(data) == image.sha256 else None


def _list_customs(project: Project, versions: list[ModelVersion], alias: str) -> list[CustomBackbone]:
    """List the custom backbones that versions need: the project's rows, and one of each that people own."""
    names = {name for one in versions for name in (one.backbone, str(one.config.get("backbone"))) if is_custom(name)}
    rows = CustomBackbone.objects.using(alias).filter(name__in=names).order_by("-is_offered", "pk")
    own = list(rows.filter(project=project))
    others = rows.filter(project=None)
    theirs = [*others.filter(owner=project.owner_id), *others]  # the owner's before those of members
    return own + list({row.name: row for row in reversed(theirs)}.values())
