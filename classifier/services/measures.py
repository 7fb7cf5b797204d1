"""What was measured of pictures as they were decoded, kept beside their embeddings."""

from collections.abc import Iterable, Sequence

from django.db.models import Exists, OuterRef, QuerySet

from classifier.models import Image, ImageMeasures, Project, Sample
from classifier.services.images import insert_for_images
from ml.audit.measures import Measures

FIELDS = ("darkest", "lightest", "contrast", "sharpness", "pixels", "camera", "taken")


def store_measures(measured: Iterable[tuple[int, Measures]]) -> None:
    """Keep the measures of images, by their ids. Those of an image that was measured before stay as they are."""
    rows = [(pk, *(getattr(one, name) for name in FIELDS[:-1]), one.taken and f"{one.taken}") for pk, one in measured]
    insert_for_images(ImageMeasures, ("image_id", *FIELDS), rows)


def list_measured(images: Sequence[int]) -> set[int]:
    """List those of these images that have been measured."""
    return set(ImageMeasures.objects.filter(image__in=images).values_list("image_id", flat=True))


def list_unmeasured(project: Project) -> QuerySet[Image]:
    """List the images of the project that have not been measured: those embedded by an earlier version."""
    kept = Sample.objects.filter(project=project, deleted_at=None, image=OuterRef("pk"))
    return Image.objects.filter(Exists(kept), measures=None, damaged_at=None).order_by("pk")
