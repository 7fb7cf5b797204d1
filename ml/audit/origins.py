"""Tell where a camera or a day gives a class away: then what is learnt may be the camera, and not the thing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

LEAST = 10  # pictures with that camera or day, and of other classes whose camera or day is known
LEAST_OF_CLASS = 0.5  # of the pictures of the class that have any
MOST_OF_OTHERS = 0.05  # of the pictures of all other classes


@dataclass(frozen=True)
class Giveaway:
    """A camera or day of one class alone: shares of the pictures of this class and of the others that have it."""

    label: int
    value: str
    share: float
    share_of_others: float


def find_giveaways(values: Sequence[str], labels: Sequence[int]) -> list[Giveaway]:
    """Find the value, if there is one, that gives each class away. An empty value is unknown."""
    pairs = Counter((label, value) for label, value in zip(labels, values, strict=True) if value)
    of_class, of_value = Counter[int](), Counter[str]()
    for (label, value), count in pairs.items():
        of_class[label] += count
        of_value[value] += count
    total, found = sum(of_class.values()), {}
    for (label, value), count in sorted(pairs.items(), key=lambda pair: pair[1]):
        others = total - of_class[label]
        share, foreign = count / of_class[label], (of_value[value] - count) / max(others, 1)
        if count >= LEAST and others >= LEAST and share >= LEAST_OF_CLASS and foreign <= MOST_OF_OTHERS:
            found[label] = Giveaway(label, value, share, foreign)
    return list(found.values())
