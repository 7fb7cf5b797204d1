"""The kinds of finding, as data: what each is called, what it says, and how much it matters.

To add one: its entry here, and in `ml.audit.findings` what finds it.
"""

from dataclasses import dataclass

SERIOUS, CHECK, HINT = "serious", "check", "hint"


@dataclass(frozen=True)
class FindingKind:
    """A kind of finding.

    Attributes:
        sentence: what it means and what to do about it, for people.
        of_class: it is about a class and not about a picture.
        follows_class: it no longer holds once the picture is moved to another class.
        numbers: the names of its details that are numbers, which all of its findings have.
    """

    name: str
    title: str
    sentence: str
    severity: str
    of_class: bool = False
    follows_class: bool = False
    numbers: tuple[str, ...] = ()


_ALL = (
    FindingKind(
        "contradiction",
        "The same photo in several classes",
        "Copies of one photo are in different classes, so whatever is learnt from one is wrong for the other. Keep the "
        "photo in one class.",
        SERIOUS,
        follows_class=True,
    ),
    FindingKind(
        "wrong_label",
        "Perhaps in the wrong class",
        "A classifier that was trained without these pictures takes them for another class. Look at each: move it if "
        "its class is wrong, and say so if it is right.",
        SERIOUS,
        follows_class=True,
        numbers=("confidence",),
    ),
    FindingKind(
        "giveaway",
        "The camera or the day gives the class away",
        "Nearly all pictures with this camera or date are of one class. What is learnt may be the camera or the place "
        "rather than the thing. Add pictures of this class from elsewhere, and others from there.",
        SERIOUS,
        of_class=True,
        numbers=("share",),
    ),
    FindingKind(
        "few_test",
        "Fewer than five test pictures",
        "The accuracy of this class is a guess. Add pictures of it.",
        CHECK,
        of_class=True,
        numbers=("count",),
    ),
    FindingKind(
        "imbalance",
        "Many fewer pictures than the largest class",
        "The largest class has ten times as many pictures or more. Add pictures of this class.",
        CHECK,
        of_class=True,
        numbers=("count", "largest"),
    ),
    FindingKind(
        "blank",
        "Nothing to see",
        "These pictures are of one colour, or nearly. Delete them.",
        SERIOUS,
    ),
    FindingKind(
        "identical",
        "All alike once they are read",
        "These files differ, but their pictures are the same, pixel by pixel. One of each is enough.",
        CHECK,
    ),
    FindingKind(
        "near_duplicate",
        "The same photo several times",
        "Copies of one photo that differ in size, quality or framing. They are kept in one split. One is enough, "
        "unless you want them to count more.",
        HINT,
    ),
    FindingKind(
        "outlier",
        "Unlike all others",
        "Nothing else in the class looks like these pictures. They may not belong here, or be the only ones of a kind "
        "that needs more.",
        CHECK,
        follows_class=True,
    ),
    FindingKind("dark", "Very dark", "Hardly anything can be seen. Make them lighter, or delete them.", CHECK),
    FindingKind("bright", "Very bright", "They are nearly white. Make them darker, or delete them.", CHECK),
    FindingKind(
        "blurred", "Blurred", "They have no sharp edges. Delete them unless new pictures will be so too.", HINT
    ),
    FindingKind("tiny", "Very small", "They have so few pixels that details are missing.", HINT),
    FindingKind(
        "odd_shape",
        "Very long or very wide",
        "A classifier sees each picture squeezed into a square, so what is in these looks out of shape. Cut out what "
        "matters.",
        HINT,
    ),
)
KINDS = {kind.name: kind for kind in _ALL}
