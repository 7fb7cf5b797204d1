"""Make the file of a backbone that TensorFlow Hub downloads."""

import tempfile
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage

from classifier.jobs import lifecycle, reporting
from classifier.models import Job
from classifier.services import hub
from classifier.services.custom_backbones import find_backbone
from ml.backbones.backbone import Backbone
from ml.exports.run import build_hub_backbone
from ml.exports.tf_hub import pack_tar


def build_hub_file(job: Job) -> None:
    """Make the file unless it exists already."""
    backbone = find_backbone(job.config["backbone"])
    if not default_storage.exists(hub.backbone_path(backbone)):
        backbone.ensure_weights()
        with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR, prefix="hub-") as folder:
            _make(job, backbone, Path(folder))
    lifecycle.finish_job(job)


def _make(job: Job, backbone: Backbone, folder: Path) -> None:
    reporting.enter_stage(job, "build", total=1)
    files = build_hub_backbone(backbone, folder, partial(lifecycle.beat, job))
    paths = sorted(path for path in files.rglob("*") if path.is_file())
    with (folder / "packed").open("w+b") as target:
        pack_tar(((path.relative_to(files).as_posix(), path.read_bytes()) for path in paths), target)
        target.seek(0)
        hub.store_backbone(backbone, target)
