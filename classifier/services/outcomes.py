"""Record what becomes of each file: stored, already there, or rejected with a reason."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from classifier.models import Image, ImageClass, Project, Sample, Upload, UploadItem
from classifier.prepared import insert_rows
from classifier.services.candidate_queue import train_soon
from classifier.services.images import ensure_images
from classifier.services.incoming_files import IncomingFile
from classifier.services.projects import ensure_classes
from classifier.services.purged_pictures import list_lost
from classifier.services.quotas import refuse_beyond_quota
from classifier.services.readiness import get_ready_soon
from ml.datasets.plan import USED

SAMPLE_FIELDS = (
    *("project_id", "image_id", "image_class_id", "split", "split_is_given", "group", "is_compared"),
    *("file_name", "created_by_id", "upload_id"),
)
ITEM_FIELDS = ("upload_id", "file_name", "class_name", "status", "reason", "picture")  # the four between an Outcome's
Status = UploadItem.Status


class Outcome(NamedTuple):
    """What became of a file: its line in the report, an UploadItem."""

    file_name: str
    class_name: str
    status: str
    reason: str


@transaction.atomic(savepoint=False)
def record_files(upload: Upload, files: list[IncomingFile]) -> list[Outcome]:
    """Write images, samples and the report of one batch, whose pictures have been synced.

    What only told of the pictures, such as a table, is no line of the report.
    """
    files = refuse_beyond_quota(upload.project, [incoming for incoming in files if incoming.reason != USED])
    good = [incoming for incoming in files if incoming.facts]
    new, known = ensure_images(incoming.facts for incoming in good if incoming.facts)
    if lost := list_lost(new):
        Image.objects.filter(sha256__in=lost).delete()
        files = [_refuse_lost(incoming, lost) for incoming in files]
    classes = ensure_classes(upload.project, {incoming.class_name for incoming in good if incoming.class_name})
    images = new | known
    recorder = _Recorder(upload, images, classes, _list_places(upload.project, known.values()))
    outcomes = [recorder.record(incoming) for incoming in files]
    recorder.write()
    pictures = [images[incoming.facts.sha256] if incoming.facts else None for incoming in files]
    rows = [(upload.pk, *outcome, picture) for outcome, picture in zip(outcomes, pictures, strict=True)]
    insert_rows(UploadItem, ITEM_FIELDS, rows)
    if any(outcome.status == Status.STORED for outcome in outcomes):
        transaction.on_commit(lambda: get_ready_soon(upload.project))
        train_soon(upload.project)
    return outcomes


def _refuse_lost(incoming: IncomingFile, lost: set[str]) -> IncomingFile:
    if incoming.facts is None or incoming.facts.sha256 not in lost:
        return incoming
    return replace(incoming, facts=None, reason="It was deleted for good while it came in. Upload it again.")


class _Place(NamedTuple):
    """Where a picture is in the project. Not a row: making thousands of those takes longer than writing them."""

    class_id: int | None
    class_name: str | None
    deleted_at: datetime | None = None


def _list_places(project: Project, images: Iterable[int]) -> dict[int, _Place]:
    """Return where those of the pictures are that are samples of the project already."""
    known = list(images)
    if not known:
        return {}
    samples = Sample.objects.filter(project=project, image__in=known)
    rows = samples.values_list(
        "image_id", "image_class_id", "image_class__name", "deleted_at", "image_class__deleted_at"
    )
    # What lies in the trash with its class comes back without one.
    return {row[0]: _Place(*row[1:4]) if row[4] is None else _Place(None, None, row[3]) for row in rows}


class _Recorder:
    """Decides the fate of each file of a batch, knowing the samples that are there and those just made."""

    def __init__(
        self, upload: Upload, images: dict[str, int], classes: dict[str, ImageClass], places: dict[int, _Place]
    ) -> None:
        self.upload, self.images, self.classes, self.places = upload, images, classes, places
        self.new: dict[int, IncomingFile] = {}  # by the image
        self.restored: list[int] = []  # images
        self.labelled: dict[int, IncomingFile] = {}  # what was there without a class, by the image

    def record(self, incoming: IncomingFile) -> Outcome:
        status, reason = self._fate(incoming)
        return Outcome(incoming.file_name, incoming.class_name, status.value, reason[:500])

    def _fate(self, incoming: IncomingFile) -> tuple[UploadItem.Status, str]:
        if incoming.facts is None:
            return Status.REJECTED, incoming.reason
        image = self.images[incoming.facts.sha256]
        image_class = self.classes.get(incoming.class_name)  # None for one without a class
        place = self.places.get(image)
        if place is not None and place.deleted_at is None:
            return self._fate_of_known(image, place, incoming, image_class)
        if image_class is not None:
            self.places[image] = _Place(image_class.pk, image_class.name)
        else:
            self.places[image] = place._replace(deleted_at=None) if place else _Place(None, None)
        if place is None:
            self.new[image] = incoming
            return Status.STORED, ""
        self.restored.append(image)
        return Status.STORED, "It was in the trash and has been restored."

    def _fate_of_known(
        self, image: int, place: _Place, incoming: IncomingFile, image_class: ImageClass | None
    ) -> tuple[UploadItem.Status, str]:
        """Return the fate of a file whose picture is there: a class is news only to one that has none."""
        if image_class is None or place.class_id is not None:
            return Status.DUPLICATE, why_duplicate(place.class_name, image_class.name if image_class else None)
        self.places[image] = _Place(image_class.pk, image_class.name)
        if image in self.new:
            self.new[image] = incoming
        else:
            self.labelled[image] = incoming
        return Status.DUPLICATE, "The same picture was already there without a class; now it has this one."

    def write(self) -> None:
        # Another request may have added the same picture since we looked: the unique constraint decides. In the
        # order of the images, as two writers who lock the same rows in another order would wait for each other.
        project, by = self.upload.project_id, self.upload.created_by_id
        new = [(image, self.places[image].class_id, self.new[image]) for image in sorted(self.new)]
        rows = [
            (project, image, label, file.split, bool(file.split), file.group, False, file.file_name, by, self.upload.pk)
            for image, label, file in new
        ]
        insert_rows(Sample, SAMPLE_FIELDS, rows)
        for image, file in self.labelled.items():
            unlabelled = Sample.objects.filter(project=project, image=image, image_class=None)
            given = {"split": file.split, "split_is_given": bool(file.split), "group": file.group}
            unlabelled.update(image_class=self.places[image].class_id, **given)
        for image in self.restored:
            trashed = Sample.objects.filter(project=project, image=image)
            trashed.update(deleted_at=None, image_class=self.places[image].class_id)


def why_duplicate(its_class: str | None, wanted: str | None) -> str:
    """Say why a picture is not taken in that is there already, in a class or without one."""
    if wanted is None:
        return "The same picture is already there."
    if its_class == wanted:
        return "The same picture is already in this class."
    return (
        f"The same picture is already in the class “{its_class}”. "
        "A picture can only be in one class; move it if that class is wrong."
    )
