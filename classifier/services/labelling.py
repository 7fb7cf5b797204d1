"""unlabelled samples -> the queue in which people label them, with what the live version, or a candidate, suggests."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet

from classifier.models import Candidate as TrainedCandidate
from classifier.models import ModelVersion, Project, Sample
from classifier.prepared import any_of
from classifier.services.answers import ask_version, load_vectors
from classifier.services.candidates import find_suggesting
from classifier.services.live_classes import live_ids
from ml.training.diversity import k_center_greedy

POOL = 2000  # pictures that are asked about; of more, those that the order's audit puts first
SURE = 0.9  # the least probability of a suggestion that is confirmed at a glance

Suggesting = ModelVersion | TrainedCandidate
Ranking = list[tuple[int, float]]  # (class id, probability), the likeliest first


@dataclass(frozen=True)
class Candidate:
    """An unlabelled sample, and what the classifier says of it; nothing where it has not seen it."""

    sample: Sample
    ranking: Ranking

    @property
    def margin(self) -> float:
        """Return how far the likeliest class is ahead of the second: 1 for a sure answer, 0 for none."""
        shares = [share for _, share in self.ranking[:2]]
        return shares[0] - sum(shares[1:]) if shares else 0.0


def list_unlabelled(project: Project) -> QuerySet[Sample]:
    """List the samples without a class whose picture can be read."""
    return Sample.objects.filter(project=project, deleted_at=None, image_class=None, image__damaged_at=None)


def next_candidates(project: Project, order: str, *, skip: Collection[int], size: int) -> list[Candidate]:
    """Return the samples to label next, in one of ORDERS, without those to skip."""
    pool = _pool(project, ORDERS[order], skip)
    version = find_suggesting(project)
    said = _ask(version, [sample.image_id for sample in pool]) if version else {}
    candidates = [Candidate(sample, said.get(sample.image_id, [])) for sample in pool]
    return ORDERS[order].arrange(candidates, version, size)[:size]


def suggest(project: Project, ids: Collection[int]) -> dict[int, Ranking]:
    """Return what the classifier says of these samples, by their ids; those that it has not seen are left out."""
    version = find_suggesting(project)
    images = dict(list_unlabelled(project).filter(pk__in=list(ids)).values_list("pk", "image_id"))
    said = _ask(version, list(images.values())) if version else {}
    return {pk: said[image] for pk, image in images.items() if image in said}


def _ask(version: Suggesting, image_ids: Sequence[int]) -> dict[int, Ranking]:
    """Ask a version about pictures: classes that were merged since count as one, and those that are gone as none."""
    now = live_ids(version.project)
    return {pk: _as_now(ranking, now) for pk, ranking in ask_version(version, image_ids).items()}


def _as_now(ranking: Ranking, now: Mapping[int, int]) -> Ranking:
    shares: dict[int, float] = defaultdict(float)
    for pk, share in ranking:
        if pk in now:
            shares[now[pk]] += share
    return sorted(shares.items(), key=lambda pair: -pair[1])


def list_sure(project: Project, size: int) -> dict[int, list[Candidate]]:
    """Return the surest candidates of each class, by its id: at most `size` of each, the surest first."""
    found: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in next_candidates(project, "sure", skip=(), size=POOL):
        if candidate.ranking and candidate.ranking[0][1] >= SURE:
            found[candidate.ranking[0][0]].append(candidate)
    return {pk: candidates[:size] for pk, candidates in found.items()}


def _pool(project: Project, order: "Order", skip: Collection[int]) -> list[Sample]:
    """Return the samples to choose among: the first in the order of the last audit, then the newest it has not seen."""
    rows = list_unlabelled(project).exclude(pk__in=any_of(list(skip))).select_related("image")
    if not order.by_audit:
        return list(rows.order_by("-pk")[:POOL])
    pool = list(rows.filter(audit__project=project, audit__uncertainty__isnull=False).order_by(order.by_audit)[:POOL])
    unseen = rows.filter(audit__uncertainty=None).order_by("-pk")
    return pool + list(unseen[: POOL - len(pool)])


def _unsure(candidates: list[Candidate], version: Suggesting | None, size: int) -> list[Candidate]:
    # What the version has not seen yet comes last: there is nothing to say of it.
    return sorted(candidates, key=lambda one: (not one.ranking, one.margin, -one.sample.pk))


def _sure(candidates: list[Candidate], version: Suggesting | None, size: int) -> list[Candidate]:
    return sorted(candidates, key=lambda one: (not one.ranking, -one.margin, -one.sample.pk))


def _newest(candidates: list[Candidate], version: Suggesting | None, size: int) -> list[Candidate]:
    return sorted(candidates, key=lambda one: -one.sample.pk)


def _diverse(candidates: list[Candidate], version: Suggesting | None, size: int) -> list[Candidate]:
    """Choose pictures that are as unlike each other as can be, beginning with the least certain one."""
    ordered = _unsure(candidates, version, size)
    vectors = load_vectors(version, [one.sample.image_id for one in ordered]) if version else {}
    seen = [one for one in ordered if one.sample.image_id in vectors]
    if not seen:
        return _newest(candidates, version, size)
    matrix = np.stack([vectors[one.sample.image_id] for one in seen])
    return [seen[place] for place in k_center_greedy(matrix, size)] + [one for one in ordered if not one.ranking]


@dataclass(frozen=True)
class Order:
    """An order in which pictures are labelled.

    Attributes:
        arrange: puts candidates into it, as far as so many of them are wanted.
        by_audit: the order of samples by the last audit whose first are the candidates; the newest are without one.
    """

    title: str
    arrange: Callable[[list[Candidate], Suggesting | None, int], list[Candidate]]
    by_audit: str = ""


ORDERS = {
    "unsure": Order("Least certain first", _unsure, "-audit__uncertainty"),
    "diverse": Order("Most varied first", _diverse, "-audit__uncertainty"),
    "newest": Order("Newest first", _newest),
    "sure": Order("Most certain first", _sure, "audit__uncertainty"),
}
