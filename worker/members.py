"""Embeddings of a backbone that is made of others: from those of its members, each of which is computed once."""

from collections.abc import Sequence
from typing import NamedTuple

from classifier.models import Image
from classifier.services import embeddings
from ml.backbones.backbone import Backbone
from ml.engines.embeddings import combine_members, embedding_key
from ml.images.augmentation import Augmentation


class Part(NamedTuple):
    """Pictures, and the networks that have not seen them yet."""

    backbones: list[Backbone]
    images: list[Image]


def split_by_missing(backbone: Backbone, images: Sequence[Image], augmentation: Augmentation | None) -> list[Part]:
    """Return which of the pictures which networks have to see: those of the members, or the backbone's own."""
    members = [member.backbone for member in backbone.members_here]
    if not members:
        return [Part([backbone], list(images))]
    lacking: dict[tuple[int, ...], list[Image]] = {}
    pks = [image.pk for image in images]
    without = [
        {image.pk for image in embeddings.list_images_without(pks, embedding_key(member.digest, augmentation))}
        for member in members
    ]
    for image in images:
        places = tuple(place for place, missing in enumerate(without) if image.pk in missing)
        lacking.setdefault(places, []).append(image)
    return [Part([members[place] for place in places], part) for places, part in lacking.items() if places]


def store_combined(backbone: Backbone, images: Sequence[Image], augmentation: Augmentation | None) -> None:
    """Store the embeddings of a backbone with members, whose own are there; for any other, do nothing.

    They are never computed by its own network, which rounds otherwise: what a training learns from must not depend on
    what was in the cache.
    """
    if not backbone.members or not images:
        return
    sha256s = [image.sha256 for image in images]
    members = backbone.members_here
    parts = [
        embeddings.load_embeddings(sha256s, [embedding_key(one.digest, augmentation)], one.features)
        for one, _ in members
    ]
    combined = combine_members(parts, [member.weight for member in members])
    embeddings.store_embeddings(images, combined, embedding_key(backbone.digest, augmentation))
