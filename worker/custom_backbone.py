"""Make a backbone or a model version from a network that somebody added."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.conf import settings

from classifier.jobs import lifecycle
from classifier.models import CustomBackbone, Job
from classifier.services import custom_backbones, datasets, model_versions, projects
from classifier.storage import local_copy
from ml.datasets.splits import TEST
from ml.engines.loading import ensure_ready, load_engine
from ml.errors import ImportRefused
from ml.model_import.opening import OpenedNetwork, fetch, open_network
from ml.model_import.program import Request
from ml.training.pipeline import adopt
from worker.features import compute_features
from worker.throttle import Throttle

STAGES = {"look": "open", "probe": "probe", "convert": "convert"}  # the program's steps -> the job's stages


def add_backbone(job: Job) -> None:
    """Make a backbone that its owner can train with from an address or a file.

    Raise `ImportRefused` if the network cannot be used.
    """
    custom = CustomBackbone.objects.select_related("owner").get(job=job)
    opened = _open(job, custom, classifier=False)
    custom_backbones.store_backbone_files(custom, opened, litert_refusal=opened.litert_refusal)
    lifecycle.enter_stage(job, "measure", total=1)
    ensure_ready(custom_backbones.find_backbone(custom.name), settings.ML.backbones_dir)
    custom_backbones.publish_backbone(job, custom)


def import_version(job: Job) -> None:
    """Make a model version from a classifier's file, and evaluate it on the project's own test pictures.

    Raise `ImportRefused` if the network or its labels cannot be used.
    """
    custom = CustomBackbone.objects.select_related("owner").get(job=job)
    opened = _open(job, custom, classifier=True)
    custom_backbones.store_backbone_files(custom, opened, litert_refusal=opened.litert_refusal)
    try:
        labels = [projects.clean_class_name(label) for label in opened.labels]
    except projects.InvalidName as error:
        raise ImportRefused(f"A label cannot be the name of a class: {error}") from None
    if len(set(labels)) != len(labels):
        raise ImportRefused("Two of the labels are the same.")
    version = datasets.freeze_for_import(job.own_project, labels, by=job.created_by)
    dataset = datasets.load_dataset(version)
    backbone = custom_backbones.find_backbone(custom.name)
    features = compute_features(job, dataset.sha256s(TEST), load_engine(backbone, settings.ML.backbones_dir))
    model_versions.publish_import(job, version, custom, adopt(dataset, features, backbone, source=custom.source))


def _open(job: Job, custom: CustomBackbone, *, classifier: bool) -> OpenedNetwork:
    asked = job.config
    request = Request(
        classifier, asked["range"], asked["input_size"], output=asked["output"], labels=asked.get("labels")
    )
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR, prefix="network-") as name:
        folder = Path(name)

        def open_file(path: Path) -> OpenedNetwork:
            return open_network(
                path,
                folder,
                request,
                title=custom.title,
                source=custom.source,
                licence=custom.licence,
                alive=partial(lifecycle.beat, job),
                said=_follow(job),
            )

        lifecycle.enter_stage(job, "fetch" if asked.get("address") else "open", total=1)
        if asked.get("address"):
            return open_file(_fetch(job, asked["address"], folder))
        with local_copy(asked["archive"]) as path:
            return open_file(path)


def _fetch(job: Job, address: str, folder: Path) -> Path:
    throttle = Throttle()

    def report(received: int) -> None:
        if throttle.due():
            lifecycle.report(job, done=received // 2**20, total=0)

    allow_private = settings.ML.fetch_private_addresses
    return fetch(address, folder, allow_private=allow_private, alive=partial(lifecycle.beat, job), report=report)


def _follow(job: Job) -> Callable[[str], None]:
    def said(step: str) -> None:
        if job.stage != STAGES[step]:
            lifecycle.enter_stage(job, STAGES[step], total=1)

    return said
