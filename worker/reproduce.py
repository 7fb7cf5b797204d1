"""Train a model version once more from its frozen inputs, and say whether the same comes out. Nothing is published."""

from classifier.jobs import lifecycle
from classifier.models import Job, ModelVersion
from classifier.services import checkpoints, datasets, model_versions
from classifier.services.custom_backbones import find_backbone
from classifier.services.reproduction import compare_with
from ml.training.config import parse_config
from worker.embed import queue_embedding
from worker.training import TrainingRun


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
    run = TrainingRun(
        job,
        frozen,
        dataset,
        backbone,
        config,
        negative=model_versions.negative_classes_in_training(version),
        # One of its own: that of the training which is to be reproduced would be its result.
        checkpoint=checkpoints.reproduction_path(job),
    )
    lifecycle.finish_job(job, compare_with(version, run.train()))
