"""Run the part of a training in which the backbone learns too."""

from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from classifier.jobs import lifecycle
from classifier.models import CustomBackbone, DatasetVersion, Job
from classifier.services import checkpoints, custom_backbones
from ml.backbones.backbone import Backbone
from ml.datasets.dataset import Dataset
from ml.datasets.splits import TEST, VALIDATION
from ml.engines.loading import load_engine
from ml.images.augmentation import load_stored
from ml.machine import CORES
from ml.training.config import TrainConfig
from ml.training.fine_tuning.freezing import freeze_tuned
from ml.training.fine_tuning.loop import Tuned, fine_tune
from ml.training.head import Head, measure_point
from ml.training.pipeline import TrainedClassifier
from worker.features import compute_features, read_picture_file
from worker.progress import TrainingProgress, TuningProgress

PROBES = 4  # pictures on which the tuned network's two forms must agree


class FineTuningRun:
    """The fine-tuning of one training job; call it with the trained head.

    After the call:
        custom: the row of the tuned backbone, not saved yet, or None if fine-tuning did not help.
        measured: how many pictures were shown, and the speed of the steps alone.
    """

    def __init__(
        self,
        job: Job,
        version: DatasetVersion,
        dataset: Dataset,
        backbone: Backbone,
        config: TrainConfig,
        test: NDArray[np.float32],
        progress: TrainingProgress,
    ) -> None:
        self.job, self.dataset, self.backbone, self.config, self.test = job, dataset, backbone, config, test
        self._path = checkpoints.checkpoint_path(version, config)
        self._progress = progress
        self.custom: CustomBackbone | None = None
        self.measured: dict[str, float] = {}

    def __call__(self, head: Head) -> TrainedClassifier:
        lifecycle.enter_stage(self.job, "build", total=1)
        watch = TuningProgress(self._progress, self._path)
        tuned = fine_tune(
            self.backbone,
            head,
            self.dataset,
            self.config,
            read=read_picture_file,
            watch=watch,
            checkpoint=checkpoints.load_checkpoint(self._path),
        )
        self._note_speed(watch)
        if tuned.helped:
            return self._store(tuned)
        lifecycle.note(self.job, "Fine-tuning did not make the answers better; the network stays as it was.")
        return self._as_before(tuned, head)

    def _note_speed(self, watch: TuningProgress) -> None:
        self.measured = {"fine_tuning_pictures": watch.pictures}
        if watch.step_rate:
            self.measured["step_rate"] = round(watch.step_rate, 4)

    def _as_before(self, tuned: Tuned, head: Head) -> TrainedClassifier:
        return TrainedClassifier(self.backbone, head, self.test, _metrics(tuned, tuned.points[0]))

    def _store(self, tuned: Tuned) -> TrainedClassifier:
        """Store the tuned backbone, and evaluate the stored form, which is the one that will answer."""
        lifecycle.enter_stage(self.job, "convert", total=1)
        sha256s = self.dataset.sha256s(VALIDATION)
        size = self.backbone.input_size
        probes = np.stack([load_stored(sha256, read_picture_file, size) for sha256 in sha256s[:PROBES]])
        opened = freeze_tuned(tuned.network, self.backbone, probes, Path(settings.FILE_UPLOAD_TEMP_DIR))
        self.custom = custom_backbones.describe_tuned(self.job, opened)
        custom_backbones.store_backbone_files(self.custom, opened)
        backbone = custom_backbones.find_backbone(self.custom.name)
        engine = load_engine(backbone, settings.ML.backbones_dir, threads=CORES)
        both = compute_features(self.job, [*sha256s, *self.dataset.sha256s(TEST)], engine)
        logits = both[: len(sha256s)] @ tuned.head.weights + tuned.head.bias
        after = measure_point(0, 0.0, logits, self.dataset.labels(VALIDATION))
        return TrainedClassifier(backbone, tuned.head, both[len(sha256s) :], _metrics(tuned, after))


def _metrics(tuned: Tuned, after: dict[str, float]) -> dict[str, Any]:
    """Return what a version's page says about it: validation before and after, and the best epoch, or 0."""
    names = ("validation_loss", "validation_accuracy")
    return {
        "fine_tuning": {
            "epochs": len(tuned.points) - 1,
            "best_epoch": tuned.best_epoch,
            "before": {name: tuned.points[0][name] for name in names},
            "after": {name: after[name] for name in names},
        }
    }
