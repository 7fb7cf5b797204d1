"""Groups that lie in several splits: the test asks for what was trained on, and flatters."""

from collections import Counter

import numpy as np
from django.db import transaction
from django.db.models import Count, QuerySet

from classifier.models import ModelVersion, Project, Sample
from classifier.prepared import any_of
from classifier.services.artifacts import load_evaluation
from classifier.services.datasets import load_dataset
from ml.datasets.splits import SPLITS, TEST
from ml.errors import UserError
from ml.training.evaluation import Estimate, estimate_on


def list_leaks(project: Project) -> list[str]:
    """List the groups that lie in several splits, which were dealt before it was known that they belong together."""
    spread = _with_groups(project).values("group").annotate(splits=Count("split", distinct=True)).filter(splits__gt=1)
    return list(spread.order_by("group").values_list("group", flat=True))


def _with_groups(project: Project) -> QuerySet[Sample]:
    kept = Sample.objects.filter(project=project, deleted_at=None, image_class__isnull=False)
    return kept.exclude(group="").exclude(split="").order_by()


def count_leaked(project: Project) -> int:
    """Count the pictures for validation and test whose group is in training as well."""
    rows = _with_groups(project).filter(group__in=list_leaks(project)).values_list("group", "split")
    counted = Counter(rows)
    trained = {group for group, split in counted if split == "training"}
    return sum(count for (group, split), count in counted.items() if split != "training" and group in trained)


@transaction.atomic
def mend_leaks(project: Project) -> int:
    """Put each group that lies in several splits into one, and return how many pictures were moved.

    It is the split where most of its pictures are, or the earlier one of training, validation and test.
    """
    Project.objects.select_for_update().get(pk=project.pk)
    moved = 0
    for group in list_leaks(project):
        counted = Counter(_with_groups(project).filter(group=group).values_list("split", flat=True))
        wanted = max(SPLITS, key=lambda split: counted[split])
        others = _with_groups(project).filter(group=group).exclude(split=wanted)
        moved += others.update(split=wanted, split_is_given=False)
    return moved


def accuracy_without_leaks(version: ModelVersion) -> Estimate | None:
    """Return how a version does on those of its test pictures of whose group it has seen nothing in training.

    Return None if that is all of them, and if its files cannot be read now.
    """
    try:
        return _accuracy_without_leaks(version)
    except (UserError, OSError):
        return None


def _accuracy_without_leaks(version: ModelVersion) -> Estimate | None:
    evaluation = load_evaluation(version.artifact_digest)
    tested = _groups_of(version.project, evaluation.sha256s)
    others = _members(version.project, set(tested.values())) if tested else {}
    if not others.keys() - tested.keys():
        return None
    trained = {row[0] for row in load_dataset(version.dataset_version).rows if row[2] != TEST}
    known = {group for sha256, group in others.items() if sha256 in trained}
    clean = np.array([tested.get(sha256) not in known for sha256 in evaluation.sha256s])
    if clean.all():
        return None
    groups = [tested.get(sha256, sha256) for sha256, kept in zip(evaluation.sha256s, clean, strict=True) if kept]
    return estimate_on(evaluation.probabilities[clean], evaluation.labels[clean], groups)


def _groups_of(project: Project, sha256s: list[str]) -> dict[str, str]:
    """Return the groups of those of the pictures that are in one, by sha256."""
    kept = Sample.objects.filter(project=project, image__sha256__in=any_of(sha256s)).exclude(group="").order_by()
    return dict(kept.values_list("image__sha256", "group"))


def _members(project: Project, groups: set[str]) -> dict[str, str]:
    """Return the group of each picture of these groups, by sha256."""
    kept = Sample.objects.filter(project=project, group__in=any_of(list(groups))).order_by()
    return dict(kept.values_list("image__sha256", "group"))
