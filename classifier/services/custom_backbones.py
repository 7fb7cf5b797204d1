"""Add custom backbones: request one, keep what was opened, and have it at hand as a backbone."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.crypto import get_random_string

from classifier.jobs.kinds import BACKBONE, IMPORT, JobKind
from classifier.jobs.lifecycle import finish_job
from classifier.jobs.results import BackboneResult
from classifier.jobs.sending import queue_job
from classifier.jobs.state import JobState
from classifier.models import CustomBackbone, Job, ModelVersion, Project
from classifier.models.custom_backbone import backbone_file_path
from classifier.outages import raise_outage
from classifier.selectors import class_names, list_custom_backbones
from classifier.services.images import read_file
from classifier.services.projects import clean_name
from classifier.storage import store_once
from ml.backbones.backbone import Backbone
from ml.backbones.registry import get_backbone
from ml.backbones.spec import (
    GRAPH,
    MAX_INPUT_SIZE,
    BackboneFiles,
    BackboneMissing,
    BackboneSpec,
    Origin,
    check_files,
    is_custom,
    parse_spec,
    read_spec,
    write_backbone,
)
from ml.errors import ImportRefused
from ml.images.rendering import Framing
from ml.model_import.fetching import host_of, kind_of
from ml.model_import.ranges import RANGES
from ml.model_import.sources import MAX_LABELS_BYTES, MAX_MODEL_BYTES
from ml.sandbox.confine import missing_protections, say_unconfined
from ml.training.config import ConfigError, TrainConfig

MAX_OUTPUT_NAME_LENGTH = 200  # characters of the name of an operation


def request_backbone(
    *, by: User, address: str = "", file: "File[bytes] | None" = None, title: str = "", licence: str = "", **asked: Any
) -> Job:
    """Queue the job that opens a backbone. `asked`: range, framing, input_size. Raise ImportRefused, InvalidName."""
    address = address.strip()
    if bool(address) == bool(file):
        raise ImportRefused("Give either an address or a file.")
    if address:
        kind_of(address)
    source = (address or _name_of(file))[:300]
    given = clean_name(title or _title_of(address, source), longest=100)
    config = {"address": address, **_checked(asked), **_keep(file)}
    known = _printable(licence).strip()[:100]
    return _queue(None, BACKBONE, config, by=by, title=given, source=source, licence=known)


def request_import(
    project: Project,
    file: "File[bytes]",
    *,
    by: User,
    labels: "File[bytes] | str | None" = None,
    promote: bool = False,
    **asked: Any,
) -> Job:
    """Queue the job that imports a model version, which becomes live only with `promote`.

    `asked`: range, framing, input_size, output. Raise ImportRefused.
    """
    config = {**_checked(asked), "labels": None if labels is None else _read_labels(labels)}
    source, state = _name_of(file), JobState(promote=promote)
    return _queue(project, IMPORT, {**config, **_keep(file)}, state, by=by, title=source[:100], source=source)


def request_reimport(version: ModelVersion, *, by: User, promote: bool = False, **asked: Any) -> Job:
    """Queue the job that makes another version of an imported one, which sees pictures in another way.

    `asked`: range, framing; what is empty stays. Raise ImportRefused.
    """
    spec = find_spec(version.backbone)
    if spec is None or spec.origin != Origin.IMPORTED or not spec.range:
        raise ImportRefused("How this version sees pictures is not known. Import its file again, and choose there.")
    wanted = _checked(asked)
    config = {
        **wanted,
        "range": wanted["range"] or spec.range,
        "framing": wanted["framing"] or str(spec.framing),
        "input_size": spec.input_size,
        "built_in": spec.range if spec.file == GRAPH else "",
        "again": version.backbone,
        # Numbered, because a label file may be, and names such as "1 euro" must stay.
        "labels": "".join(f"{place} {name}\n" for place, name in enumerate(class_names(version))),
    }
    state, about = JobState(promote=promote), {"title": spec.title, "source": spec.source}
    return _queue(version.project, IMPORT, config, state, by=by, **about)


def _read_labels(labels: "File[bytes] | str") -> str:
    """Return the text of a label file, or the text itself, after checking it. Raise ImportRefused."""
    size = len(labels.encode(errors="replace")) if isinstance(labels, str) else labels.size or 0
    if size > MAX_LABELS_BYTES:
        raise ImportRefused("The label file is too large.")
    try:
        text = labels if isinstance(labels, str) else labels.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ImportRefused("The label file is not a text file in UTF-8.") from None
    if "\0" in text:  # PostgreSQL keeps no NUL
        raise ImportRefused("The label file is not a text file: it contains zero bytes.")
    return text


def check_confinement() -> None:
    """Check that a stranger's network can be confined here. Raise ImportRefused."""
    missing = missing_protections()
    if missing and not settings.ML.unconfined_networks:
        raise ImportRefused(say_unconfined(missing))


def _queue(
    project: Project | None,
    kind: JobKind,
    config: dict[str, Any],
    state: JobState | None = None,
    *,
    by: User,
    **about: str,
) -> Job:
    check_confinement()
    with transaction.atomic():
        job = queue_job(kind, project=project, by=by, config=config, state=state)
        CustomBackbone.objects.create(owner=by, project=project, job=job, **about)
    return job


def _name_of(file: "File[bytes] | None") -> str:
    """Return the name of an upload, as far as it can be shown."""
    name = (file.name or "").replace("\\", "/").rpartition("/")[2] if file else ""
    return _printable(name)[:300] or "network"


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


def _title_of(address: str, source: str) -> str:
    """Return a title for a backbone that was given none."""
    parts = [part for part in address.split("?")[0].split("/")[3:] if part]
    return (" ".join(parts[-3:]) or host_of(address) if address else source)[:100]


def _keep(file: "File[bytes] | None") -> dict[str, str]:
    """Store the upload until its job has ended, under the key that `delete_read_archives` looks for."""
    if file is None:
        return {}
    if not file.size:
        raise ImportRefused("The file is empty.")
    if file.size > MAX_MODEL_BYTES:
        raise ImportRefused(f"The file is larger than {MAX_MODEL_BYTES >> 30} GB.")
    return {"archive": default_storage.save(f"incoming/networks/{get_random_string(24)}", file), "name": _name_of(file)}


def _checked(asked: dict[str, Any]) -> dict[str, Any]:
    """Check the values that were given. Raise ImportRefused."""
    wanted, size, output = asked.get("range") or "", asked.get("input_size"), asked.get("output") or ""
    if wanted and wanted not in RANGES:
        raise ImportRefused(f"The range must be one of {', '.join(RANGES)}, or empty.")
    if size is not None and not (isinstance(size, int) and 8 <= size <= MAX_INPUT_SIZE):
        raise ImportRefused(f"The input size must be a whole number of pixels from 8 to {MAX_INPUT_SIZE}.")
    if len(output) > MAX_OUTPUT_NAME_LENGTH or not output.isprintable():
        raise ImportRefused("The output must be the name of an operation in the graph.")
    framing = asked.get("framing") or ""
    if framing and framing not in list(Framing):
        raise ImportRefused(f"The framing must be one of {', '.join(Framing)}, or empty.")
    return {"range": wanted, "framing": framing, "input_size": size, "output": output}


def store_backbone_files(custom: CustomBackbone, opened: BackboneFiles, *, litert_refusal: str = "") -> None:
    """Write the files to the storage and to this machine, and fill in the row, which is saved later."""
    spec = opened.spec
    for file, data in opened.files.items():
        store_once(backbone_file_path(spec.name, file), data)
    write_backbone(spec, opened.files, settings.ML)
    custom.name, custom.size = spec.name, sum(len(data) for data in opened.files.values())
    custom.spec = {"text": spec.dump(), "files": sorted(opened.files)}
    custom.litert_refusal = litert_refusal[:300]


def describe_tuned(job: Job, opened: BackboneFiles) -> CustomBackbone:
    """Return the unsaved row of a backbone that a training has fine-tuned; it is saved with its version."""
    spec, project = opened.spec, job.own_project
    about = {"title": spec.title, "source": spec.source, "licence": spec.licence}
    return CustomBackbone(owner=project.owner, project=project, job=job, **about)


FIELDS_OF_OPENED = ["name", "spec", "size", "litert_refusal"]


def publish_backbone(job: Job, custom: CustomBackbone) -> None:
    """Save the row and end the job in one transaction. It replaces an earlier row of the same backbone."""
    with transaction.atomic():
        # Two jobs of one network must not both take the place of the earlier.
        owner = User.objects.select_for_update().filter(custom_backbones=custom).first()
        if owner is not None:  # whose account may have been deleted meanwhile
            earlier = list_custom_backbones(owner).filter(name=custom.name).exclude(pk=custom.pk)
            earlier.update(is_offered=False)
        custom.save(update_fields=FIELDS_OF_OPENED)
        finish_job(job, BackboneResult(backbone=custom.name))


def lock_backbone(name: str) -> None:
    """Let no other delete a custom backbone, or queue a job with it, until the transaction ends."""
    list(CustomBackbone.objects.select_for_update().filter(name=name).order_by("pk").values_list("pk"))


def check_backbone(config: TrainConfig, user: User) -> None:
    """Check that a custom backbone is the user's own, in the transaction that queues the job. Raise ConfigError."""
    if not is_custom(config.backbone):
        return
    lock_backbone(config.backbone)
    if not list_custom_backbones(user).filter(name=config.backbone).exists():
        raise ConfigError("backbone", "You have no backbone of this name.")


def find_backbone(name: str) -> Backbone:
    """Return a backbone, after fetching its files if it is a custom one. Raise BackboneMissing, OSError."""
    if is_custom(name):
        try:
            read_spec(name, settings.ML)
        except BackboneMissing:
            _bring_here(name)
    return get_backbone(name, settings.ML)


def find_spec(name: str) -> BackboneSpec | None:
    """Return the spec of a custom backbone; None for any other, and for one that is gone."""
    if not is_custom(name):
        return None
    row = CustomBackbone.objects.filter(name=name).filter(spec__isnull=False).first()
    return parse_spec(row.spec["text"]) if row else None


def _bring_here(name: str) -> None:
    row = CustomBackbone.objects.filter(name=name).filter(spec__isnull=False).first()
    if row is None:
        raise BackboneMissing(f"The backbone {name} is no longer stored.")
    spec = parse_spec(row.spec["text"])
    try:
        files = {file: read_file(backbone_file_path(name, file)) for file in row.spec["files"]}
    except OSError as error:
        raise_outage(error)
        raise BackboneMissing(f"The files of the backbone “{row.title}” are missing from the storage.") from error
    try:
        check_files(spec, files)
    except ValueError as error:
        raise BackboneMissing(f"The files of the backbone “{row.title}” are damaged in the storage.") from error
    write_backbone(spec, files, settings.ML)
