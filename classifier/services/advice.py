"""model version -> what to do next: each piece of advice from a fact, with its evidence and where to act on it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from django.urls import reverse

from classifier.models import ModelVersion
from classifier.percentages import as_percent
from classifier.selectors import class_names, list_classes
from classifier.services import audits, backbone_comparisons
from ml.datasets.splits import TRAINING
from ml.training.config import why_not_fine_tuned
from ml.training.pipeline import IMPORTED

FEW_PICTURES = 20  # of a class, in training
LOW_RECALL = 0.8
PAIRS = 3
LEAST_CONFUSED = 2  # pictures of a pair of classes; one may be chance
MANY_PICTURES = 300  # from which on fine-tuning is worth its time
GOOD_ACCURACY = 0.97  # above which there is little for it to win


@dataclass(frozen=True)
class Advice:
    """Something to do.

    Attributes:
        kind: what it is about, for programs.
        sentence: what to do.
        evidence: the fact that speaks for it.
        address: where to do it.
        button: what the link to it says.
    """

    kind: str
    sentence: str
    evidence: str
    address: str
    button: str


def give_advice(version: ModelVersion) -> list[Advice]:
    """Return what to do next, the most promising first."""
    rules: tuple[Callable[[ModelVersion], Iterator[Advice]], ...] = (
        _mend_labels,
        _add_pictures,
        _follow_the_curve,
        _tell_apart,
        _test_more,
        _say_none_of_these,
        _tune,
        _try_other_backbones,
    )
    return [advice for rule in rules for advice in rule(version)]


def _mend_labels(version: ModelVersion) -> Iterator[Advice]:
    slug = version.project.slug
    found = audits.list_findings(version.project, "wrong_label").count()
    if found:
        some = "1 picture looks" if found == 1 else f"{found:,} pictures look"
        yield Advice(
            "wrong_labels",
            "Look at the pictures that may be in the wrong class.",
            f"{some} like another class to a classifier that was trained without them.",
            reverse("check_kind", args=[slug, "wrong_label"]),
            "Show them",
        )


def _count_training(version: ModelVersion) -> dict[int, int]:
    """Count the training pictures of each class, by its id."""
    counts = version.dataset_version.counts.get(TRAINING, [])
    return {pk: count for (pk, _), count in zip(version.dataset_version.classes, counts, strict=False)}


def _add_pictures(version: ModelVersion) -> Iterator[Advice]:
    """Name the classes that are found too seldom and, where mistakes are made, those that have few pictures."""
    makes_mistakes = (version.accuracy.accuracy or 0.0) < 1
    counts = {row["name"]: row for row in version.metrics["per_class"]}
    today = {image_class.pk: image_class for image_class in list_classes(version.project)}
    trained = _count_training(version)
    for (pk, old), name in zip(version.dataset_version.classes, class_names(version), strict=True):
        measured, pictures = counts.get(old, {}), trained.get(pk, 0)
        recall = measured.get("recall")
        seldom = recall is not None and recall < LOW_RECALL
        if pk in today and pictures and (seldom or (makes_mistakes and pictures < FEW_PICTURES)):
            found = f", and {as_percent(recall, 0)} of its test pictures are recognised" if recall is not None else ""
            yield Advice(
                "few_pictures",
                f"Add pictures of {name}.",
                f"It has {pictures:,} to learn from{found}.",
                today[pk].get_absolute_url(),
                f"Add to {name}",
            )


def _follow_the_curve(version: ModelVersion) -> Iterator[Advice]:
    """Say whether more pictures of all kinds would help, if the last check can tell."""
    more, slug = audits.learning_curve(version.project).more_of_hundred, version.project.slug
    if more:
        yield Advice(
            "more_pictures",
            "Add more pictures of every class.",
            f"With twice as many, about {more} more of 100 would be right, going by how it has grown so far.",
            reverse("check", args=[slug]) + "#learning-curve",
            "Show the curve",
        )
    elif more is not None and (version.accuracy.accuracy or 1.0) < GOOD_ACCURACY:
        yield Advice(
            "other_pictures",
            "More of the same pictures would hardly help. Look at the mistakes, and add pictures like those.",
            "The accuracy has stopped growing with the number of pictures.",
            reverse("version_evaluation", args=[slug, version.number]) + "?show=mistakes#pictures",
            "Show the mistakes",
        )


def _tell_apart(version: ModelVersion) -> Iterator[Advice]:
    confusion, names = np.array(version.metrics["confusion"]), class_names(version)
    both = np.triu(confusion + confusion.T, k=1)
    page = reverse("version_evaluation", args=[version.project.slug, version.number])
    for place in np.argsort(-both, axis=None, kind="stable")[:PAIRS]:
        one, other = divmod(int(place), len(names))
        if both[one, other] < LEAST_CONFUSED:
            return
        true, taken = (one, other) if confusion[one, other] >= confusion[other, one] else (other, one)
        classes = version.dataset_version.classes
        yield Advice(
            "confused",
            f"See why {names[one]} and {names[other]} are confused, and add pictures that show the difference.",
            f"{both[one, other]:,} test pictures of one are taken for the other.",
            f"{page}?true={classes[true][0]}&predicted={classes[taken][0]}#pictures",
            "Show them",
        )


def _test_more(version: ModelVersion) -> Iterator[Advice]:
    accuracy = version.accuracy
    if accuracy.accuracy is not None and accuracy.is_rough:
        low, high = accuracy.interval
        yield Advice(
            "rough",
            "Add more pictures to know better how good it is.",
            f"It was measured on {accuracy.groups:,} different thing{'s'[: accuracy.groups - 1]}, so on new pictures"
            " anything from "
            f"{as_percent(low, 0)} to {as_percent(high, 0)} may be right.",
            reverse("project", args=[version.project.slug]),
            "Add pictures",
        )


def _say_none_of_these(version: ModelVersion) -> Iterator[Advice]:
    has_negative = list_classes(version.project).filter(is_negative=True).exists()
    if not has_negative and not version.metrics.get("has_detector") and version.config["recipe"] != IMPORTED:
        yield Advice(
            "other_things",
            "Add a class for other things, so that it can say “none of these”.",
            "This version always answers with one of its classes.",
            reverse("project", args=[version.project.slug]),
            "Add the class",
        )


def _tune(version: ModelVersion) -> Iterator[Advice]:
    accuracy, config = version.accuracy.accuracy, version.config
    if accuracy is None or config["recipe"] == IMPORTED or config.get("fine_tuning"):
        return
    pictures = sum(_count_training(version).values())
    if pictures >= MANY_PICTURES and accuracy < GOOD_ACCURACY and not why_not_fine_tuned(version.backbone):
        yield Advice(
            "fine_tuning",
            "Let the network itself learn from your pictures (fine-tuning).",
            f"There are {pictures:,} pictures to learn from, and {as_percent(1 - accuracy, 0)} are still answered "
            "wrongly. If it does not help, the network stays as it is.",
            reverse("train", args=[version.project.slug]) + f"?backbone={config['backbone']}&fine_tuning=last",
            "Set it up",
        )


def _try_other_backbones(version: ModelVersion) -> Iterator[Advice]:
    accuracy, train = version.accuracy.accuracy, reverse("train", args=[version.project.slug])
    if accuracy is None or version.config["recipe"] == IMPORTED:
        return
    compared = backbone_comparisons.find_last(version.project)
    if compared is None and accuracy < GOOD_ACCURACY:
        yield Advice(
            "other_backbone",
            "Compare the networks that a classifier can be built on (backbones).",
            f"{as_percent(accuracy, 0)} are right with this one; others see other details.",
            f"{train}?backbone={version.backbone}#backbones",
            "Compare them",
        )
    better = backbone_comparisons.find_recommended(version.project)
    if better is not None and better.trial.backbone != version.backbone:
        yield Advice(
            "better_backbone",
            f"Train with {better.trial.title}.",
            f"When the backbones were compared on your pictures, it was {better.words}.",
            f"{train}?backbone={better.trial.backbone}",
            "Set it up",
        )
