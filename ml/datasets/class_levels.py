"""Choose which of the folders in folders are the classes."""

from collections import Counter
from dataclasses import dataclass

from ml.datasets.litter import Folders
from ml.datasets.vocabulary import is_occasion


@dataclass(frozen=True)
class Level:
    """Which folder of a chain is the class: from the front (0 is the first) or, below zero, from the back.

    Attributes:
        doubt: a sentence for the person if others are as good, else "".
        warning: a sentence about what was decided without asking.
    """

    place: int
    doubt: str = ""
    warning: str = ""

    def class_of(self, chain: Folders) -> str:
        """Return the class of a file with this chain, or "" if its folders are too few."""
        if not chain or self.place >= len(chain):
            return ""
        return chain[max(self.place, -len(chain))]


def choose_level(chains: Counter[Folders]) -> Level:
    """Choose the level of the classes among chains of folders, with the pictures in each."""
    deepest = max((len(chain) for chain in chains), default=0)
    if deepest < 2:
        return Level(0)
    shallow = {chain[0] for chain in chains if len(chain) == 1}
    levels = [{chain[level] for chain in chains if len(chain) > level} for level in range(deepest)]
    telling = [level for level, names in enumerate(levels) if not _tells_nothing(level, names, chains)]
    if shallow and telling != [0]:
        return Level(*_uneven(chains, shallow))
    if len(telling) == 1:
        # Counted from the back where it is the last, so that chains of other lengths keep their own.
        named = ", ".join(f"“{name}”" for name in sorted(levels[telling[0]])[:3])
        warning = f"Some folders lie within others. The classes are those that say what is shown: {named}."
        return Level(telling[0], warning=warning)
    return _among_several(chains, levels)


def _tells_nothing(level: int, names: set[str], chains: Counter[Folders]) -> bool:
    """Return whether a level's names say when pictures were taken, or are the same one in different folders."""
    if all(map(is_occasion, names)):
        return True
    outer = {chain[:level] for chain in chains if len(chain) > level}
    return level > 0 and len(names) == 1 and len(outer) > 1


def _uneven(chains: Counter[Folders], shallow: set[str]) -> tuple[int, str]:
    deep = {chain[0] for chain in chains if len(chain) > 1}
    inner = sorted({chain[-1] for chain in chains if len(chain) > 1})[:3]
    named = ", ".join(f"“{name}”" for name in inner)
    place = 0 if deep <= shallow else -1
    return place, f"Some pictures lie deeper than others: in {named}. Which folders are the classes?"


def _among_several(chains: Counter[Folders], levels: list[set[str]]) -> Level:
    outer, inner = (", ".join(f"“{name}”" for name in sorted(names)[:3]) for names in (levels[0], levels[-1]))
    parents: dict[str, set[Folders]] = {}
    for chain in chains:
        parents.setdefault(chain[-1], set()).add(chain[:-1])
    repeats = [name for name, folders in parents.items() if len(folders) > 1]
    if repeats:
        doubt = f"The same inner folders, such as “{sorted(repeats)[0]}”, are in several outer ones. "
    else:
        doubt = "Folders lie within folders. "
    question = f"{doubt}Are the classes the outer folders ({outer}) or the inner ones ({inner})?"
    return Level(0 if repeats else -1, question)
