"""Train what a training would give now, from cached embeddings, below anything somebody waits for."""

from contextlib import suppress
from dataclasses import dataclass

from django.db import transaction

from classifier.jobs import lifecycle
from classifier.models import Candidate, DatasetVersion, Job, ModelVersion, Project
from classifier.selectors import live_version
from classifier.services import datasets, embeddings, groups, model_versions, readiness
from classifier.services.candidate_files import store_files
from classifier.services.candidates import CandidateOutdated, keep_candidate, replace_candidate
from classifier.services.datasets import load_dataset
from classifier.services.quality_gate import check_metrics, has_gate, list_failures
from classifier.services.version_comparison import Verdict, answers_of_version, judge_answers, read_answers
from ml.backbones.backbone import Backbone
from ml.datasets.dataset import Dataset
from ml.engines.embeddings import embedding_key
from ml.errors import UserError
from ml.training.artifacts import read_evaluation
from ml.training.config import TrainConfig
from ml.training.pipeline import Trained
from worker.same_photos import compare_pictures
from worker.training import TrainingRun

LEAST = 2  # pictures of a class: one to learn from, and one to judge by
NO_BACKBONE = "The backbone of the last training cannot be used for this here. Press Train instead."


def train_candidate(job: Job) -> None:
    """Train a candidate, or write down why there is none."""
    project = Project.objects.get(pk=job.own_project.pk)
    backbone = readiness.choose_backbone(project)
    if not project.up_to_date:
        lifecycle.finish_job(job)
        return
    if backbone is None:
        _refuse(job, NO_BACKBONE)
        return
    if embeddings.list_missing(datasets.list_usable(project), embedding_key(backbone.digest)):
        lifecycle.finish_job(job)
        readiness.get_ready_soon(project, asked=True)  # at whose end this is queued again
        return
    if groups.has_uncompared(project):
        compare_pictures(job, backbone)
    try:
        _train(job, project, backbone)
    except UserError as error:
        _refuse(job, str(error))


def _train(job: Job, project: Project, backbone: Backbone) -> None:
    inputs = _Inputs.of(project, backbone)
    if (lacking := _find_lacking(inputs.dataset)) is not None:
        _refuse(job, lacking)
        return
    known = model_versions.find_version(inputs.version, inputs.config)
    if known is not None:
        _write(job, Candidate(same_as=known.number))
        return
    negative = model_versions.negative_classes(inputs.version)
    trained = TrainingRun(job, inputs.version, inputs.dataset, backbone, inputs.config, negative=negative).train()
    store_files(project.pk, trained.digest, trained.files)
    candidate = inputs.make_candidate(trained)
    candidate.failures = _check_gate(project, inputs, trained, candidate)
    _write(job, candidate)


@dataclass(frozen=True)
class _Inputs:
    """What is trained from: the pictures as they are now, and the settings that Train has by itself."""

    version: DatasetVersion  # not saved
    dataset: Dataset
    config: TrainConfig

    @classmethod
    def of(cls, project: Project, backbone: Backbone) -> "_Inputs":
        config = TrainConfig(backbone=backbone.name)
        version, dataset = datasets.preview_dataset_version(
            project,
            validation_percentage=config.validation_percentage,
            testing_percentage=config.testing_percentage,
        )
        return cls(version, dataset, config)

    def make_candidate(self, trained: Trained) -> Candidate:
        live = live_version(self.version.project)
        labels, removed = _count_changes(live, self.dataset) if live else (0, 0)
        return Candidate(
            classes=self.version.classes,
            fingerprint=model_versions.fingerprint(self.version, self.config),
            artifact_digest=trained.digest,
            backbone=self.config.backbone,
            config=self.config.as_dict(),
            metrics=trained.metrics,
            since=live.number if live else None,
            labels=labels,
            removed=removed,
        )


def _find_lacking(dataset: Dataset) -> str | None:
    """Return what is missing for a candidate, in a sentence for people."""
    if len(dataset.classes) < LEAST:
        return f"It begins once there are two classes with {LEAST} pictures each."
    counts = [0] * len(dataset.classes)
    for _, place, _ in dataset.rows:
        counts[place] += 1
    small = [name for (_, name), count in zip(dataset.classes, counts, strict=True) if count < LEAST]
    return f"“{small[0]}” has only one picture. It goes on once there are {LEAST}." if small else None


def _count_changes(live: ModelVersion, dataset: Dataset) -> tuple[int, int]:
    """Return how many pictures have come or changed their class since a version was trained, and how many have gone."""
    before, now = _labels(load_dataset(live.dataset_version)), _labels(dataset)
    return sum(before.get(sha256) != label for sha256, label in now.items()), len(before.keys() - now.keys())


def _labels(dataset: Dataset) -> dict[str, int]:
    return {sha256: dataset.classes[place][0] for sha256, place, _ in dataset.rows}


def _check_gate(project: Project, inputs: _Inputs, trained: Trained, candidate: Candidate) -> list[str]:
    """Return which conditions of the quality gate the candidate does not meet, where it would be kept by itself."""

    def compare(live: ModelVersion) -> Verdict:
        found = read_evaluation(trained.digest, trained.files.__getitem__)
        answers = read_answers(found, [pk for pk, _ in inputs.dataset.classes])
        return judge_answers(answers_of_version(live), answers, inputs.dataset.groups)

    if not project.keeps_passing:
        return []
    names = [name for _, name in inputs.dataset.classes]
    return list_failures(check_metrics(project, candidate.metrics, names, compare, live_version(project)))


def _refuse(job: Job, reason: str) -> None:
    _write(job, Candidate(reason=reason[:500]))


def _write(job: Job, candidate: Candidate) -> None:
    """Write the row and end the job, unless it was superseded; keep it as a version where the project says so."""
    with transaction.atomic():
        project = Project.objects.select_for_update().get(pk=job.own_project.pk)
        lifecycle.finish_job(job)
        replace_candidate(project, candidate)
        if candidate.artifact_digest and project.keeps_passing and has_gate(project) and not candidate.failures:
            with suppress(CandidateOutdated):  # what has changed it has queued the next one
                keep_candidate(project, by=job.created_by, promote=True)
