"""Check a project's pictures: what may be wrong with them, which are alike, and where each lies on the map."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from django.db import transaction

from classifier.jobs import lifecycle, reporting
from classifier.jobs.results import AuditResult
from classifier.models import Finding, Job, SampleAudit
from classifier.services import audit_files, audit_results, embeddings, evaluations, groups, readiness
from classifier.services.measures import FIELDS
from ml.audit.findings import Found, Picture, find_in_classes, find_in_embeddings, find_in_pictures
from ml.audit.labels import UNLABELLED, Judgement, judge_labels
from ml.audit.learning_curve import LearningCurve, measure_learning_curve
from ml.audit.map import lay_out
from ml.audit.measures import Measures
from ml.audit.outliers import Floats, score_outliers
from ml.audit.vectors import find_neighbours, make_vectors
from ml.backbones.backbone import Backbone
from ml.datasets.groups import SAME_PHOTO
from ml.engines.embeddings import embedding_key
from ml.errors import Refused
from ml.images.neighbours import to_unit
from worker.embed import WantedEmbeddings, queue_missing
from worker.measure import measure_rest
from worker.same_photos import compare_pictures
from worker.throttle import Throttle

PARTS = 100  # of a stage that counts no pictures


class NotCheckable(Refused):
    """The project's backbone is one that no worker of this kind can run. The message is a sentence for the user."""


def audit(job: Job) -> None:
    """Audit the pictures that are embedded; those that are not are embedded first, if somebody waits for the audit."""
    backbone = readiness.choose_backbone(job.own_project)
    if backbone is None:
        raise NotCheckable("Pictures are checked with the backbone of the last training. Train once, then check them.")
    if not job.background:
        if queue_missing(job, [WantedEmbeddings(backbone, _list_pictures(job))], stage="embed"):
            return  # the last of the embed jobs continues this job
        compare_pictures(job, backbone)
    measure_rest(job)
    reporting.enter_stage(job, "load", total=1)
    samples = _Samples.load(job, backbone)
    _write(job, samples, _compute(job, samples, backbone), key=embedding_key(backbone.digest))


def _list_pictures(job: Job) -> list[str]:
    """List the sha256s of all pictures that can be read, those without a class too."""
    kept = job.own_project.samples.filter(deleted_at=None, image__damaged_at=None)
    return list(kept.order_by("pk").values_list("image__sha256", flat=True))


@dataclass(frozen=True)
class _Samples:
    """The rows of the samples, and the classes that they are of, whose places are the indices of labels."""

    rows: list[dict[str, Any]]
    classes: list[int]

    @classmethod
    def load(cls, job: Job, backbone: Backbone) -> "_Samples":
        measures = [f"image__measures__{name}" for name in FIELDS]
        facts = ("pk", "image__sha256", "image__width", "image__height", "image_class", "split", "group")
        found = groups.list_comparable(job.own_project, embedding_key(backbone.digest))
        rows = list(found.values(*facts, *measures))
        return cls(rows, sorted({row["image_class"] for row in rows} - {None}))

    @cached_property
    def labels(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        index = {pk: place for place, pk in enumerate(self.classes)}
        return np.array([index.get(row["image_class"], UNLABELLED) for row in self.rows], np.int64)

    @cached_property
    def groups(self) -> list[str]:
        """Return the group of each, which is its own where it is in none."""
        return [row["group"] or row["image__sha256"] for row in self.rows]

    @cached_property
    def pictures(self) -> list[Picture]:
        return [_make_picture(row, int(label)) for row, label in zip(self.rows, self.labels, strict=True)]


def _make_picture(row: dict[str, Any], label: int) -> Picture:
    values = {name: row[f"image__measures__{name}"] for name in FIELDS}
    return Picture(
        label,
        row["image__width"],
        row["image__height"],
        row["split"],
        row["group"] if row["group"].startswith(f"{SAME_PHOTO} ") else "",
        None if values["pixels"] is None else Measures(**values),
    )


@dataclass(frozen=True)
class _Computed:
    """What is computed from the embeddings."""

    judgement: Judgement
    outlier_scores: Floats
    arrays: audit_files.AuditArrays
    curve: LearningCurve


def _compute(job: Job, samples: _Samples, backbone: Backbone) -> _Computed:
    sha256s = [row["image__sha256"] for row in samples.rows]
    vectors = make_vectors(embeddings.load_embeddings(sha256s, [embedding_key(backbone.digest)], backbone.features))
    reporting.enter_stage(job, "labels", total=PARTS)
    report = _Reporter(job)
    labelled = (vectors, samples.labels, samples.groups, len(samples.classes))
    judgement = judge_labels(*labelled, report)
    curve = measure_learning_curve(*labelled, lambda _: report(1.0))
    reporting.enter_stage(job, "map", total=PARTS)
    nearest = find_neighbours(vectors)
    ids = np.array([row["pk"] for row in samples.rows], np.int64)
    positions = lay_out(vectors, nearest, report)
    arrays = audit_files.AuditArrays(ids, to_unit(vectors).astype(np.float16), positions)
    return _Computed(judgement, score_outliers(nearest, samples.labels), arrays, curve)


class _Reporter:
    """Write the share of a stage that is done, now and then. Raise LeaseLost."""

    def __init__(self, job: Job) -> None:
        self._job, self._throttle = job, Throttle()

    def __call__(self, share: float) -> None:
        if self._throttle.due():
            reporting.report(self._job, done=int(share * PARTS))


def _write(job: Job, samples: _Samples, computed: _Computed, *, key: str) -> None:
    judgement, scores = computed.judgement, computed.outlier_scores
    rows = [_make_row(job, samples, place, judgement, float(scores[place])) for place in range(len(samples.rows))]
    reporting.enter_stage(job, "write", total=len(rows))
    audit_results.write_sample_audits(job.own_project, rows, lambda done: reporting.report(job, done=done))
    pictures = samples.pictures
    found = [
        *find_in_pictures(pictures),
        *find_in_embeddings(pictures, judgement, scores),
        *find_in_classes(pictures),
    ]
    counts = audit_results.write_findings(
        job.own_project, [_make_finding(job, samples, judgement, one) for one in found]
    )
    lifecycle.beat(job)
    digest, evaluated = audit_files.store_audit_file(computed.arrays), _evaluate(samples, judgement)
    with transaction.atomic():
        audit_files.name_audit_file(job, digest, key=key, samples=len(rows), curve=computed.curve)
        evaluations.keep_checked(job.own_project, digest, samples.classes, evaluated)
        lifecycle.finish_job(job, AuditResult(findings=counts))


def _evaluate(samples: _Samples, judgement: Judgement) -> dict[str, object] | None:
    """Return what the answers to the pictures with a class say; None where there is nothing to choose from."""
    if len(samples.classes) < 2:
        return None
    known = np.flatnonzero(samples.labels != UNLABELLED)
    groups = [samples.groups[place] for place in known]
    return evaluations.compute(samples.labels[known], judgement.probabilities[known], groups)


def _make_row(job: Job, samples: _Samples, place: int, judgement: Judgement, outlier_score: float) -> SampleAudit:
    row = SampleAudit(sample_id=samples.rows[place]["pk"], project=job.own_project, outlier_score=outlier_score)
    if len(samples.classes) > 1:
        row.predicted_class_id = samples.classes[judgement.predicted[place]]
        row.confidence = float(judgement.confidence[place])
        row.uncertainty = float(judgement.uncertainty[place])
    return row


def _make_finding(job: Job, samples: _Samples, judgement: Judgement, found: Found) -> Finding:
    finding = Finding(project=job.own_project, kind=found.kind, score=found.score, details=found.details)
    if found.place is None:
        assert found.label is not None  # noqa: S101 - it is about a class, then
        finding.image_class_id = samples.classes[found.label]
        return finding
    row = samples.rows[found.place]
    finding.sample_id, finding.image_class_id = row["pk"], row["image_class"]
    if found.kind == "wrong_label":
        finding.details = {**found.details, "predicted": samples.classes[judgement.predicted[found.place]]}
    return finding
