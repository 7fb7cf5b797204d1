"""Export a model version to another format."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from classifier.jobs import lifecycle, reporting
from classifier.models import Export, Job, ModelVersion
from classifier.selectors import class_names
from classifier.services import artifacts, datasets, exports
from classifier.services.custom_backbones import find_backbone
from ml.backbones.backbone import Backbone
from ml.datasets.splits import TRAINING
from ml.exports.parts import Parts
from ml.exports.registry import FORMATS
from ml.exports.run import ExportFailed, build_export, certify_export
from ml.images.augmentation import load_stored
from worker.features import read_picture_file

CALIBRATION_PICTURES = 200  # a few hundred are enough to show the range of every layer


def export(job: Job) -> None:
    """Export a model version, and keep the files only if they answer as the site does.

    Raise `ExportFailed` if they cannot be made, cannot be checked, or do not pass the check.
    """
    wanted = Export.objects.select_related("model_version__dataset_version").get(pk=job.config["export"])
    version, format = wanted.model_version, FORMATS[wanted.format]
    if format.unavailable_reason:  # available where it was requested, but not here
        raise ExportFailed(format.unavailable_reason)
    artifact = artifacts.load_artifact(version.artifact_digest)
    evaluation = exports.keep_what_is_there(artifacts.load_evaluation(version.artifact_digest))
    if not evaluation.sha256s:
        raise ExportFailed(
            "There are no test pictures, so nothing can show whether the file is right. Train or import it again."
        )
    backbone = find_backbone(version.backbone)
    backbone.ensure_weights()  # this may be another machine than the one that fetched them
    labels, rejection = class_names(version), artifact.rejection
    parts = Parts(job.own_project.name, version.number, backbone, artifact.head, labels, rejection)
    if format.calibrates:
        parts = replace(parts, calibration=_calibration_pictures(version, backbone))
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR, prefix="export-") as folder:
        reporting.enter_stage(job, "build", total=1)
        files = build_export(format, parts, Path(folder), partial(lifecycle.beat, job))
        reporting.enter_stage(job, "load", total=1)
        checked = partial(_report_checked, job, len(evaluation.sha256s))
        certificate = certify_export(
            format,
            files,
            evaluation,
            rejection,
            read_picture_file,
            partial(lifecycle.beat, job),
            checked,
            unconfined=backbone.may_run_unconfined,
        )
        checked(len(evaluation.sha256s))  # a few pictures take less time than a look at what the program says
        if not certificate["passed"]:
            exports.record_refusal(wanted, certificate)
            raise ExportFailed(f"The file was not kept. {' '.join(certificate['reasons'])}")
        exports.publish_export(job, wanted, files, certificate, labels=parts.labels)


def _report_checked(job: Job, total: int, done: int) -> None:
    """Report how many test pictures have been checked.

    The first only tells that the files are loaded: how long it took without that is unknown.
    """
    if job.stage == "load":
        reporting.enter_stage(job, "check", total=total)
    else:
        reporting.report(job, done=done)


def _calibration_pictures(version: ModelVersion, backbone: Backbone) -> NDArray[np.uint8]:
    """Return training pictures, evenly spaced, as the backbone sees them: uint8 (K, S, S, 3)."""
    size = backbone.input_size
    dataset = datasets.load_dataset(version.dataset_version)
    chosen = exports.keep_existing(dataset.sha256s(TRAINING))
    chosen = chosen[:: -(-len(chosen) // CALIBRATION_PICTURES) or 1]
    if not chosen:
        raise ExportFailed("All training pictures were deleted, so there is nothing to calibrate with. Train again.")
    return np.stack([load_stored(sha256, read_picture_file, size, framing=backbone.framing) for sha256 in chosen])
