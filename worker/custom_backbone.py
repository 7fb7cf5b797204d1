"""Make a backbone or a model version from a network that somebody added."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from django.conf import settings

from classifier.jobs import lifecycle, reporting
from classifier.models import CustomBackbone, Job
from classifier.services import custom_backbones, datasets, model_versions, projects
from classifier.storage import local_copy
from ml.datasets.splits import TEST
from ml.engines.loading import ensure_ready, load_engine
from ml.errors import ImportRefused
from ml.model_import.opening import OpenedNetwork, fetch, open_network
from ml.model_import.program import Request
from ml.model_import.ranges import TRIED
from ml.model_import.sources import make_unique
from ml.training.pipeline import adopt
from worker.features import compute_features
from worker.throttle import Throttle
from worker.trial import try_ranges

STAGES = {"look": "open", "probe": "probe", "convert": "convert"}  # the program's steps -> the job's stages


def add_backbone(job: Job) -> None:
    """Make a backbone that its owner can train with from an address or a file.

    Raise `ImportRefused` if the network cannot be used.
    """
    custom = CustomBackbone.objects.select_related("owner").get(job=job)
    with _scratch() as folder, _source(job, folder) as path:
        opened = _open(job, custom, path, folder, _request(job, classifier=False))
    custom_backbones.store_backbone_files(custom, opened, litert_refusal=opened.litert_refusal)
    reporting.enter_stage(job, "measure", total=1)
    ensure_ready(custom_backbones.find_backbone(custom.name), settings.ML.backbones_dir)
    custom_backbones.publish_backbone(job, custom)


def import_version(job: Job) -> None:
    """Make a model version from a classifier's file, and evaluate it on the project's own test pictures.

    Where the file does not say which range it expects, the best on these pictures is taken. Raise `ImportRefused` if
    the network or its labels cannot be used.
    """
    custom, request = CustomBackbone.objects.select_related("owner").get(job=job), _request(job, classifier=True)
    with _scratch() as folder, _source(job, folder) as path:
        opened = _open(job, custom, path, folder, request)
        version = datasets.freeze_for_import(job.own_project, _class_names(opened.labels), by=job.created_by)
        dataset = datasets.load_dataset(version)
        best, count = try_ranges(opened, dataset, folder)
        reason = TRIED if count else opened.range_reason
        if best != opened.spec.range:
            opened = _open(job, custom, path, folder, replace(request, range=best))
    custom_backbones.store_backbone_files(custom, opened, litert_refusal=opened.litert_refusal)
    backbone = custom_backbones.find_backbone(custom.name)
    features = compute_features(job, dataset.sha256s(TEST), load_engine(backbone, settings.ML.backbones_dir))
    trained = adopt(dataset, features, backbone, source=custom.source)
    told = {"range": opened.spec.range, "range_reason": reason, "tried_on": count}
    seen = {**told, "framing": str(opened.spec.framing), "input_size": opened.spec.input_size}
    model_versions.publish_import(job, version, custom, trained, pictures=seen)


def _class_names(labels: list[str]) -> list[str]:
    """Return names of classes for the labels, no two of them the same. Raise `ImportRefused`."""
    try:
        return make_unique([projects.clean_class_name(label) for label in labels])
    except projects.InvalidName as error:
        raise ImportRefused(f"A label cannot be the name of a class: {error}") from None


def _request(job: Job, *, classifier: bool) -> Request:
    asked = job.config
    names = ("range", "input_size", "output", "labels", "framing", "built_in")
    return Request(classifier, **{name: asked[name] for name in names if name in asked})


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR, prefix="network-") as name:
        yield Path(name)


@contextmanager
def _source(job: Job, folder: Path) -> Iterator[Path]:
    """Give the file that the job opens: fetched, uploaded, or of a version that is to see pictures differently."""
    asked = job.config
    reporting.enter_stage(job, "fetch" if asked.get("address") else "open", total=1)
    if asked.get("address"):
        yield _fetch(job, asked["address"], folder)
    elif asked.get("again"):
        known = custom_backbones.find_backbone(asked["again"])
        yield known.find_weights(settings.ML) or folder
    else:
        with local_copy(asked["archive"]) as path:
            yield path


def _open(job: Job, custom: CustomBackbone, path: Path, folder: Path, request: Request) -> OpenedNetwork:
    return open_network(
        path,
        Path(tempfile.mkdtemp(dir=folder)),
        request,
        title=custom.title,
        source=custom.source,
        licence=custom.licence,
        alive=partial(lifecycle.beat, job),
        said=_follow(job),
        unconfined=settings.ML.unconfined_networks,
    )


def _fetch(job: Job, address: str, folder: Path) -> Path:
    throttle = Throttle()

    def report(received: int) -> None:
        if throttle.due():
            reporting.report(job, done=received // 2**20, total=0)

    return fetch(
        address,
        folder,
        allow_private=settings.ML.fetch_private_addresses,
        alive=partial(lifecycle.beat, job),
        report=report,
        unconfined=settings.ML.unconfined_networks,
    )


def _follow(job: Job) -> Callable[[str], None]:
    def said(step: str) -> None:
        if job.stage != STAGES[step]:
            reporting.enter_stage(job, STAGES[step], total=1)

    return said
