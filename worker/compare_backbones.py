"""Try the backbones at hand on a project's pictures, and say which fits best and what it costs."""

import statistics
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.jobs import lifecycle, reporting
from classifier.jobs.results import BackboneComparison, BackboneTrial
from classifier.models import Job
from classifier.services import datasets, embeddings
from classifier.services.custom_backbones import find_backbone
from ml.backbones.backbone import Backbone
from ml.engines.embeddings import embedding_key
from ml.evaluation.mcnemar import mcnemar
from ml.training.backbone_comparison import choose_pictures, judge_backbone
from worker.embed import WantedEmbeddings, engine_of, queue_missing
from worker.same_photos import compare_pictures

TIMES = 5  # a picture is classified to measure the speed, after once to warm up


def compare_backbones(job: Job) -> None:
    """Judge each backbone by cross-validation, on the same pictures and folds. Raise `TooFewPictures`."""
    backbones = [find_backbone(name) for name in job.config["backbones"]]
    for backbone in backbones:
        backbone.ensure_weights()  # this may be another machine than the one that has them
    pictures = _Pictures.choose(job)
    if queue_missing(job, [WantedEmbeddings(backbone, pictures.sha256s) for backbone in backbones], stage="embed"):
        return  # the last of the embed jobs continues this job
    current = next(one for one in backbones if one.name == job.config["compared_with"])
    compare_pictures(job, current)
    pictures = pictures.regrouped(job)
    reporting.enter_stage(job, "judge", total=len(backbones))
    right: dict[str, NDArray[np.bool_]] = {}
    for backbone in backbones:
        right[backbone.name] = pictures.judge(job, backbone)
        reporting.report(job, done=len(right))
    trials = [_describe(backbone, right[backbone.name], right[current.name]) for backbone in backbones]
    trials.sort(key=lambda trial: (-trial.correct, trial.milliseconds))
    result = BackboneComparison(pictures=len(right[current.name]), compared_with=current.name, trials=trials)
    lifecycle.finish_job(job, result)


@dataclass(frozen=True)
class _Pictures:
    """The pictures that the backbones are judged by."""

    sha256s: list[str]
    labels: NDArray[np.int64]
    groups: list[str]

    @classmethod
    def choose(cls, job: Job) -> "_Pictures":
        rows = datasets.list_labelled(job.own_project)
        _, labels = np.unique([class_id for _, class_id, _ in rows], return_inverse=True)
        chosen = choose_pictures(labels, [group for *_, group in rows])
        return cls([rows[place][0] for place in chosen], labels[chosen], [rows[place][2] for place in chosen])

    def regrouped(self, job: Job) -> "_Pictures":
        """Return those that are still there, with the groups they are in now; what came meanwhile is left out."""
        groups = {sha256: group for sha256, _, group in datasets.list_labelled(job.own_project)}
        kept = [place for place, sha256 in enumerate(self.sha256s) if sha256 in groups]
        sha256s = [self.sha256s[place] for place in kept]
        return _Pictures(sha256s, self.labels[kept], [groups[sha256] for sha256 in sha256s])

    def judge(self, job: Job, backbone: Backbone) -> NDArray[np.bool_]:
        """Return which pictures are answered rightly, (N,). Raise LeaseLost."""
        features = embeddings.load_embeddings(self.sha256s, [embedding_key(backbone.digest)], backbone.features)
        return judge_backbone(
            features, self.labels, self.groups, int(self.labels.max()) + 1, lambda _: lifecycle.beat(job)
        )


def _describe(backbone: Backbone, right: NDArray[np.bool_], current: NDArray[np.bool_]) -> BackboneTrial:
    fixed, broken = int((right & ~current).sum()), int((current & ~right).sum())
    return BackboneTrial(
        backbone=backbone.name,
        title=backbone.title,
        correct=int(right.sum()),
        fixed=fixed,
        broken=broken,
        p=mcnemar(fixed, broken),
        milliseconds=_measure_milliseconds(backbone),
    )


def _measure_milliseconds(backbone: Backbone) -> float:
    """Return how long the features of one picture take."""
    engine = engine_of(backbone)
    picture = np.zeros((1, backbone.input_size, backbone.input_size, 3), np.uint8)
    seconds = []
    for _ in range(TIMES + 1):
        begun = time.perf_counter()
        engine.embed(picture)
        seconds.append(time.perf_counter() - begun)
    return round(1000 * statistics.median(seconds[1:]), 2)
