"""Train from a dataset whose embeddings are all there, for any kind of job that does."""

from typing import Any

from classifier.jobs import reporting
from classifier.models import CustomBackbone, DatasetVersion, Job
from classifier.services import embeddings
from ml.backbones.backbone import Backbone
from ml.datasets.dataset import Dataset
from ml.datasets.splits import TEST
from ml.training import pipeline
from ml.training.config import TrainConfig
from ml.training.event_files import TrainingEventFiles
from worker.fine_tune import FineTuningRun
from worker.progress import TrainingProgress


class TrainingRun:
    """The training of one job, with fine-tuning where its config asks for it.

    `negative` are the ids of the classes that mean “none of these”; fine-tuning goes on from `checkpoint`, see
    `FineTuningRun`. Nothing is published.
    """

    def __init__(
        self,
        job: Job,
        version: DatasetVersion,
        dataset: Dataset,
        backbone: Backbone,
        config: TrainConfig,
        *,
        negative: list[int],
        checkpoint: str = "",
    ) -> None:
        """Load the features."""
        self._version, self._dataset, self._backbone, self._config = version, dataset, backbone, config
        self._negative = negative
        reporting.enter_stage(job, "load", total=1)
        self._features = embeddings.load_features(dataset, backbone, config.augmentations)
        self._progress = TrainingProgress(job)
        self._tuning = None
        if config.fine_tuning:
            parts = (job, version, dataset, backbone, config, self._features, self._progress)
            self._tuning = FineTuningRun(*parts, checkpoint=checkpoint)

    def train(self, summaries: TrainingEventFiles | None = None) -> pipeline.Trained:
        """Train, and report to the job's row. Raise what `ml.training.pipeline.train` raises."""
        return pipeline.train(
            self._dataset,
            self._features,
            self._config,
            self._backbone,
            self._progress,
            summaries,
            self._tuning,
            test_is_given=TEST in self._version.given,
            negative=self._negative,
        )

    @property
    def stopped(self) -> bool:
        """Return whether somebody has stopped it, and kept what it had reached."""
        return self._progress.stopped

    @property
    def custom(self) -> CustomBackbone | None:
        """Return the row of the fine-tuned backbone, not saved yet, if there is one."""
        return self._tuning.custom if self._tuning else None

    @property
    def measured(self) -> dict[str, Any]:
        """Return what was measured of the fine-tuning."""
        return self._tuning.measured if self._tuning else {}
