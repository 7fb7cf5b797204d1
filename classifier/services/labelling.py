"""unlabelled samples -> the queue in which people label them, with what the live version suggests."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from classifier.models import Embedding, ModelVersion, Project, Sample
from classifier.selectors import live_version
from classifier.services.answers import ask_version
from classifier.services.custom_backbones import find_backbone
from classifier.services.live_classes import live_ids
from ml.engines.embeddings import embedding_key
from ml.errors import UserError
from ml.training.diversity import spread_out

# Of more unlabelled pictures, the queue is chosen among so many: the least certain of the last audit, or the newest.
POOL = 2000
SURE = 0.9  # the least probability of a suggestion that is confirmed at a glance

Ranking = list[tuple[int, float]]  # (class id, probability), the likeliest first


@dataclass(frozen=True)
class Candidate:
    """An unlabelled sample, and what the live version says of it; nothing where it has not seen it."""

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
    pool = _pool(project, skip)
    version = live_version(project)
    said = _ask(version, [sample.image_id for sample in pool]) if version else {}
    candidates = [Candidate(sample, said.get(sample.image_id, [])) for sample in pool]
    return ORDERS[order](candidates, version, size)[:size]


def suggest(project: Project, ids: Collection[int]) -> dict[int, Ranking]:
    """Return what the live version says of these samples, by their ids; those that it has not seen are left out."""
    version = live_version(project)
    images = dict(list_unlabelled(project).filter(pk__in=list(ids)).values_list("pk", "image_id"))
    said = _ask(version, list(images.values())) if version else {}
    return {pk: said[image] for pk, image in images.items() if image in said}


def _ask(version: ModelVersion, image_ids: Sequence[int]) -> dict[int, Ranking]:
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
    for candidate in reversed(next_candidates(project, "unsure", skip=(), size=POOL)):
        if candidate.ranking and candidate.ranking[0][1] >= SURE:
            found[candidate.ranking[0][0]].append(candidate)
    return {pk: candidates[:size] for pk, candidates in found.items()}


def _pool(project: Project, skip: Collection[int]) -> list[Sample]:
    rows = list_unlabelled(project).exclude(pk__in=list(skip)).select_related("image")
    judged = rows.filter(audit__project=project, audit__uncertainty__isnull=False)
    pool = list(judged.order_by("-audit__uncertainty")[:POOL])
    if len(pool) < POOL:
        known = {sample.pk for sample in pool}
        newest = rows.order_by("-pk")[: POOL + len(known)]
        pool += [sample for sample in newest if sample.pk not in known][: POOL - len(pool)]
    return pool


def _unsure(candidates: list[Candidate], version: ModelVersion | None, size: int) -> list[Candidate]:
    # What the version has not seen yet comes last: there is nothing to say of it.
    return sorted(candidates, key=lambda one: (not one.ranking, one.margin, -one.sample.pk))


def _sure(candidates: list[Candidate], version: ModelVersion | None, size: int) -> list[Candidate]:
    return sorted(candidates, key=lambda one: (not one.ranking, -one.margin, -one.sample.pk))


def _newest(candidates: list[Candidate], version: ModelVersion | None, size: int) -> list[Candidate]:
    return sorted(candidates, key=lambda one: -one.sample.pk)


def _diverse(candidates: list[Candidate], version: ModelVersion | None, size: int) -> list[Candidate]:
    """Choose pictures that are as unlike each other as can be, beginning with the least certain one."""
    ordered = _unsure(candidates, version, size)
    vectors = _vectors([one.sample.image_id for one in ordered], version) if version else {}
    seen = [one for one in ordered if one.sample.image_id in vectors]
    if not seen:
        return _newest(candidates, version, size)
    matrix = np.stack([vectors[one.sample.image_id] for one in seen])
    return [seen[place] for place in spread_out(matrix, size)] + [one for one in ordered if not one.ranking]


def _vectors(image_ids: Sequence[int], version: ModelVersion) -> dict[int, NDArray[np.float32]]:
    try:
        key = embedding_key(find_backbone(version.backbone).digest)
    except UserError:
        return {}
    rows = Embedding.objects.filter(key=key, image__in=list(image_ids)).values_list("image_id", "vector")
    return {pk: np.frombuffer(vector, "<f4") for pk, vector in rows}


Order = Callable[[list[Candidate], ModelVersion | None, int], list[Candidate]]
ORDERS: dict[str, Order] = {"unsure": _unsure, "diverse": _diverse, "newest": _newest, "sure": _sure}
ORDER_TITLES = {
    "unsure": "Least certain first",
    "diverse": "Most varied first",
    "newest": "Newest first",
    "sure": "Most certain first",
}
