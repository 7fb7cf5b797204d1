"""Run the part of a training in which the backbone learns too."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from classifier.jobs import reporting
from classifier.jobs.log import WARNING, write_line
from classifier.models import CustomBackbone, DatasetVersion, Job
from classifier.services import checkpoints, custom_backbones, embeddings
from ml.backbones.backbone import Backbone
from ml.datasets.dataset import Dataset
from ml.datasets.splits import TEST, TRAINING, VALIDATION
from ml.engines.embeddings import embedding_key
from ml.engines.loading import load_engine
from ml.images.augmentation import load_stored
from ml.machine import CORES
from ml.training.config import TrainConfig
from ml.training.fine_tuning.freezing import freeze_tuned
from ml.training.fine_tuning.loop import Tuned, fine_tune
from ml.training.head import Head, OutOfSample, measure_point
from ml.training.out_of_distribution import even_share
from ml.training.pipeline import KnownPictures, TrainedClassifier
from worker.features import compute_features, read_picture_file
from worker.progress import TrainingProgress, TuningProgress

PROBES = 4  # pictures on which the tuned network's two forms must agree


class FineTuningRun:
    """The fine-tuning of one training job; call it with the trained head.

    It goes on from `checkpoint`, or from where any earlier training of the same stood.

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
        features: Mapping[str, NDArray[np.float32]],
        progress: TrainingProgress,
        *,
        checkpoint: str = "",
    ) -> None:
        self.job, self.dataset, self.backbone, self.config, self.features = job, dataset, backbone, config, features
        self._path = checkpoint or checkpoints.checkpoint_path(version, config)
        self._progress = progress
        self.custom: CustomBackbone | None = None
        self.measured: dict[str, float] = {}

    def __call__(self, head: Head) -> TrainedClassifier:
        reporting.enter_stage(self.job, "build", total=1)
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
        write_line(self.job, "Fine-tuning did not make the answers better; the network stays as it was.", WARNING)
        return self._as_before(tuned, head)

    def _note_speed(self, watch: TuningProgress) -> None:
        self.measured = {"fine_tuning_pictures": watch.pictures}
        if watch.step_rate:
            self.measured["step_rate"] = round(watch.step_rate, 4)

    def _as_before(self, tuned: Tuned, head: Head) -> TrainedClassifier:
        known = KnownPictures.of(self.dataset, self.features)
        logits = head.logits(self.features[VALIDATION])
        metrics = _metrics(tuned, tuned.points[0])
        return TrainedClassifier(self.backbone, head, known, self.features[TEST], self._judged(logits), metrics)

    def _judged(self, logits: NDArray[np.float32]) -> OutOfSample:
        """Return what the head makes of the validation pictures, which it has not seen."""
        return OutOfSample(logits, self.dataset.labels(VALIDATION))

    def _store(self, tuned: Tuned) -> TrainedClassifier:
        """Store the tuned backbone, and evaluate the stored form, which is the one that will answer."""
        reporting.enter_stage(self.job, "convert", total=1)
        opened = freeze_tuned(tuned.network, self.backbone, self._probes(), Path(settings.FILE_UPLOAD_TEMP_DIR))
        self.custom = custom_backbones.describe_tuned(self.job, opened)
        custom_backbones.store_backbone_files(self.custom, opened)
        backbone = custom_backbones.find_backbone(self.custom.name)
        validation, test, known = self._extract(backbone)
        logits = tuned.head.logits(validation)
        metrics = _metrics(tuned, measure_point(0, 0.0, logits, self.dataset.labels(VALIDATION)))
        return TrainedClassifier(backbone, tuned.head, known, test, self._judged(logits), metrics)

    def _probes(self) -> NDArray[np.uint8]:
        sha256s = self.dataset.sha256s(VALIDATION)[:PROBES]
        return np.stack([load_stored(sha256, read_picture_file, self.backbone.input_size) for sha256 in sha256s])

    def _extract(self, backbone: Backbone) -> tuple[NDArray[np.float32], NDArray[np.float32], KnownPictures]:
        """Compute the tuned features of validation, test, and as many training pictures as tell what is like them.

        They are kept: people are shown the training pictures that look most like one.
        """
        labels, groups = self.dataset.labels(TRAINING), self.dataset.groups_of(TRAINING)
        chosen = even_share(labels)
        sha256s = self.dataset.sha256s(TRAINING)
        wanted = [
            self.dataset.sha256s(VALIDATION),
            self.dataset.sha256s(TEST),
            [sha256s[int(place)] for place in chosen],
        ]
        together = [sha256 for part in wanted for sha256 in part]
        engine = load_engine(backbone, settings.ML.backbones_dir, threads=CORES)
        found = compute_features(self.job, together, engine)
        embeddings.store_features(together, found, embedding_key(backbone.digest))
        validation, test, training = np.split(found, np.cumsum([len(part) for part in wanted])[:-1])
        known = KnownPictures(
            np.concatenate([training, validation]),
            np.concatenate([labels[chosen], self.dataset.labels(VALIDATION)]),
            [groups[int(place)] for place in chosen] + self.dataset.groups_of(VALIDATION),
        )
        return validation, test, known


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
