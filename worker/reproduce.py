"""Train a model version once more from its frozen inputs, and say whether the same comes out. Nothing is published."""

from classifier.jobs import lifecycle, reporting
from classifier.models import Job, ModelVersion
from classifier.services import checkpoints, datasets, embeddings, model_versions
from classifier.services.custom_backbones import find_backbone
from classifier.services.reproduction import compare_with
from ml.datasets.splits import TEST
from ml.training import pipeline
from ml.training.config import parse_config
from worker.embed import queue_embedding
from worker.fine_tune import FineTuningRun
from worker.progress import TrainingProgress


def reproduce(job: Job) -> None:
    """Train, whether or not there is a version of these inputs already: the one that this is held against.

    The job runs more than once if embeddings are missing, as one that trains does.
    """
    versions = ModelVersion.objects.filter(project=job.project_id).select_related("dataset_version")
    version = versions.get(number=job.config["version"])
    config, frozen = parse_config(version.config), version.dataset_version
    backbone, dataset = find_backbone(config.backbone), datasets.load_dataset(frozen)
    backbone.ensure_weights()
    if queue_embedding(job, backbone, dataset, config.augmentations):
        return  # the last of the embed jobs continues this job
    reporting.enter_stage(job, "load", total=1)
    features = embeddings.load_features(dataset, backbone, config.augmentations)
    progress = TrainingProgress(job)
    tuning = None
    if config.fine_tuning:
        # From a checkpoint of its own: the one of the training that is to be reproduced would be its result.
        path = checkpoints.reproduction_path(job)
        tuning = FineTuningRun(job, frozen, dataset, backbone, config, features, progress, checkpoint=path)
    trained = pipeline.train(
        dataset,
        features,
        config,
        backbone,
        progress,
        tune=tuning,
        test_is_given=TEST in frozen.given,
        negative=model_versions.negative_classes_in_training(version),
    )
    lifecycle.finish_job(job, compare_with(version, trained))
