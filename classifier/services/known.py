"""Which pictures of a folder are in the project already, so that they need not be sent again."""

from collections.abc import Iterable

from django.db.models import QuerySet
from pydantic import TypeAdapter, ValidationError

from classifier.models import Project, Sample, Upload, UploadItem
from classifier.prepared import insert_rows
from classifier.services.incoming_files import storable
from classifier.services.outcomes import ITEM_FIELDS, Outcome, why_duplicate
from classifier.services.projects import InvalidName, clean_class_name
from ml.errors import Refused

MOST = 2000  # pictures in one question
KnownFile = tuple[str, str | None, str]  # path, class or None, sha256
_FILES = TypeAdapter(list[KnownFile])


def list_known(project: Project, sha256s: Iterable[str]) -> dict[str, str | None]:
    """Return the class, or None, of each of these pictures that is a sample of the project and whole.

    A damaged one is not told: sending it again mends it. Neither is what others have, even if it is stored.
    """
    return dict(_find_known(project, sha256s).values_list("image__sha256", "image_class__name"))


def _find_known(project: Project, sha256s: Iterable[str]) -> "QuerySet[Sample]":
    samples = Sample.objects.filter(project=project, deleted_at=None, image__damaged_at=None)
    return samples.filter(image__sha256__in=list(sha256s))


def read_known_files(data: bytes) -> list[KnownFile]:
    """Read [[path, class or null, sha256], ...] in JSON. Raise Refused."""
    try:
        files = _FILES.validate_json(data)
    except ValidationError:
        raise Refused("The list of files cannot be read.") from None
    if len(files) > MOST:
        raise Refused(f"Ask for {MOST:,} files at most.")
    return files


def record_known(upload: Upload, files: list[KnownFile]) -> dict[int, str]:
    """Report those of the files that are there already; return the reason of each, by its place.

    A picture that is there without a class and would get one is left out: it has to be sent.
    """
    found = _find_known(upload.project, {sha256 for _, _, sha256 in files})
    known, pictures = {}, {}
    for sha256, name, picture in found.values_list("image__sha256", "image_class__name", "image_id"):
        known[sha256], pictures[sha256] = name, picture
    outcomes: dict[int, Outcome] = {}
    for place, (path, given, sha256) in enumerate(files):
        label = _clean(given)
        if sha256 in known and label is not None and (known[sha256] is not None or not label):
            reason = why_duplicate(known[sha256], label or None)
            outcomes[place] = Outcome(storable(path, 1000), label, UploadItem.Status.DUPLICATE.value, reason[:500])
    rows = [(upload.pk, *outcome, pictures[files[place][2]]) for place, outcome in outcomes.items()]
    insert_rows(UploadItem, ITEM_FIELDS, rows)
    return {place: outcome.reason for place, outcome in outcomes.items()}


def _clean(given: str | None) -> str | None:
    """Return the name of a class as it would be stored, "" for none, and None for one that would be refused."""
    if given is None:
        return ""
    try:
        return clean_class_name(given)
    except InvalidName:
        return None
