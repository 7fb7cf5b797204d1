"""Classes that cannot be tested: all their pictures belong together, and what is learnt from is no test."""

from django.db.models import Count, Q

from classifier.models import DatasetVersion, Project
from classifier.selectors import dataset_class_names
from classifier.services.datasets import list_usable_samples, load_dataset
from ml.datasets.plan_warnings import list_names
from ml.datasets.splits import SMALLEST_CLASS, TEST
from ml.errors import UserError


def tell_untested(version: DatasetVersion) -> str:
    """Say which classes of a version could not be tested; nothing where all could, or its file cannot be read now."""
    try:
        return describe_untested(list_untested(version))
    except (UserError, OSError):
        return ""


def describe_untested(names: list[str]) -> str:
    """Say which classes cannot be tested, and what helps; nothing where all can."""
    if not names:
        return ""
    subject = (
        f"All pictures of {list_names(names)}" if len(names) == 1 else f"In each of the classes {list_names(names)}"
    )
    said = f"{subject} belong together" if len(names) == 1 else f"{subject} all pictures belong together"
    return f"{said}, so none can be kept for the test. Add some that show something else, such as another video."


def foresee_untested(project: Project) -> list[str]:
    """List the names of the classes of which a training now could keep nothing for the test."""
    by_class = list_usable_samples(project).order_by().values("image_class__name")
    counted = by_class.annotate(
        pictures=Count("pk"),
        alone=Count("pk", filter=Q(group="")),
        groups=Count("group", distinct=True),
        tested=Count("pk", filter=Q(split=TEST)),
    )
    found = counted.filter(pictures__gte=SMALLEST_CLASS, alone=0, groups=1, tested=0)
    return sorted(found.values_list("image_class__name", flat=True))


def list_untested(version: DatasetVersion) -> list[str]:
    """List the names of the classes of a version without a test picture whose pictures all belong together.

    Raise DatasetCorrupt, OSError.
    """
    counts = version.counts
    without = [place for place, count in enumerate(counts.get(TEST, [])) if not count]
    several = {place for place in without if sum(split[place] for split in counts.values()) >= SMALLEST_CLASS}
    if not several:
        return []
    dataset, names = load_dataset(version), dataset_class_names(version)
    groups: dict[int, set[str]] = {}
    for sha256, place, _ in dataset.rows:
        if place in several:
            groups.setdefault(place, set()).add(dataset.groups.get(sha256, sha256))
    return [names[place] for place, found in sorted(groups.items()) if len(found) == 1]
