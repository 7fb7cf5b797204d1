"""From what is known of a project's pictures to findings; each rule is a function, and all limits stand here."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml.audit.labels import UNLABELLED, Judgement
from ml.audit.measures import Measures
from ml.audit.origins import find_giveaways
from ml.audit.outliers import LEAST_SCORE, Floats

DARK, BRIGHT = 60.0, 225.0  # grey: nearly all pixels are darker, or lighter
BLANK = 4.0  # contrast
BLURRED = 0.003  # sharpness; of 200 photos none is below, and when blurred by 6 of 224 pixels nine in ten are
TINY = 48  # pixels of the shorter side
ODD_SHAPE = 3.0  # times as long as it is wide
IMBALANCE = 10.0  # times as many pictures in the largest class
FEW_TEST = 5


@dataclass(frozen=True)
class Picture:
    """What is known of a picture without its embedding."""

    label: int  # class index, or UNLABELLED
    width: int
    height: int
    split: str = ""
    photo: str = ""  # the group of those that show the same photo, if it is in one
    measures: Measures | None = None


@dataclass(frozen=True)
class Found:
    """A finding about a picture, by its place, or about a class, by its index; a larger score is worse."""

    kind: str
    place: int | None = None
    label: int | None = None
    score: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)


def find_in_pictures(pictures: Sequence[Picture]) -> Iterator[Found]:
    """Find what can be told from each picture by itself, and from which are the same."""
    for place, picture in enumerate(pictures):
        shape = max(picture.width, picture.height) / max(min(picture.width, picture.height), 1)
        if shape >= ODD_SHAPE:
            yield Found("odd_shape", place, score=shape)
        if min(picture.width, picture.height) < TINY:
            yield Found("tiny", place, score=float(TINY - min(picture.width, picture.height)))
        if picture.measures is not None:
            yield from _find_in_measures(place, picture.measures)
    yield from _find_same_photos(pictures)
    yield from _find_identical(pictures)


def _find_in_measures(place: int, measures: Measures) -> Iterator[Found]:
    if measures.contrast < BLANK:
        yield Found("blank", place, score=BLANK - measures.contrast)
        return  # it is no more than that
    if measures.lightest < DARK:
        yield Found("dark", place, score=DARK - measures.lightest)
    if measures.darkest > BRIGHT:
        yield Found("bright", place, score=measures.darkest - BRIGHT)
    if measures.sharpness < BLURRED:
        yield Found("blurred", place, score=1 - measures.sharpness / BLURRED)


def _members(pictures: Sequence[Picture], key: Callable[[Picture], str]) -> list[list[int]]:
    """List the places of pictures with the same key, which is not empty, where there are several."""
    places = defaultdict(list)
    for place, picture in enumerate(pictures):
        if value := key(picture):
            places[value].append(place)
    return [found for found in places.values() if len(found) > 1]


def _find_same_photos(pictures: Sequence[Picture]) -> Iterator[Found]:
    groups = _members(pictures, lambda picture: picture.photo)
    for number, members in enumerate(groups):
        # The largest groups first, and the members of one side by side.
        score, photo = len(members) + 1 - number / len(groups), pictures[members[0]].photo
        kinds = {pictures[place].label for place in members} - {UNLABELLED}
        for place in members:
            yield Found("near_duplicate", place, score=score, details={"photo": photo})
            if len(kinds) > 1 and pictures[place].label != UNLABELLED:
                yield Found("contradiction", place, score=score, details={"photo": photo})


def _find_identical(pictures: Sequence[Picture]) -> Iterator[Found]:
    groups = _members(pictures, lambda picture: picture.measures.pixels if picture.measures else "")
    for number, members in enumerate(groups):
        for place in members:
            yield Found("identical", place, score=len(members) + 1 - number / len(groups))


def find_in_embeddings(pictures: Sequence[Picture], judgement: Judgement, outlier_scores: Floats) -> Iterator[Found]:
    """Find labels that are probably wrong, and pictures that are unlike all others."""
    for place, picture in enumerate(pictures):
        if judgement.suspicion[place] > 0:
            details = {
                "confidence": round(float(judgement.confidence[place]), 4),
                "given_confidence": round(float(judgement.probabilities[place, picture.label]), 4),
            }
            yield Found("wrong_label", place, score=float(judgement.suspicion[place]), details=details)
        if outlier_scores[place] >= LEAST_SCORE:
            yield Found("outlier", place, score=float(outlier_scores[place]))


def find_in_classes(pictures: Sequence[Picture]) -> Iterator[Found]:
    """Find classes that are small, of which the test knows little, or that something else gives away."""
    labelled = [picture for picture in pictures if picture.label != UNLABELLED]
    counts = Counter(picture.label for picture in labelled)
    largest = max(counts.values(), default=0)
    for label, count in sorted(counts.items()):
        if largest >= IMBALANCE * count:
            yield Found("imbalance", label=label, score=largest / count, details={"count": count, "largest": largest})
    yield from _find_untested(labelled)
    for what in ("camera", "taken"):
        values = [str(getattr(picture.measures, what) or "") if picture.measures else "" for picture in labelled]
        for giveaway in find_giveaways(values, [picture.label for picture in labelled]):
            details = {"what": what, "value": giveaway.value, "share": round(giveaway.share, 3)}
            yield Found("giveaway", label=giveaway.label, score=giveaway.share, details=details)


def _find_untested(labelled: Sequence[Picture]) -> Iterator[Found]:
    """Find classes with few test pictures, once pictures have been dealt into splits."""
    tested = Counter(picture.label for picture in labelled if picture.split == "test")
    for label in sorted({picture.label for picture in labelled if picture.split}):
        if tested[label] < FEW_TEST:
            yield Found(
                "few_test", label=label, score=float(FEW_TEST - tested[label]), details={"count": tested[label]}
            )
