"""Backbones as a project's file names them: by the digest, which is the same on every site."""

from collections.abc import Iterable

from django.conf import settings
from django.db.models import QuerySet

from classifier.models import Embedding, Image
from classifier.services.custom_backbones import find_backbone
from ml.backbones.backbone import Backbone
from ml.backbones.registry import BACKBONES, UnknownBackbone, get_backbone
from ml.backbones.spec import BackboneMissing
from ml.backbones.weights import WeightsMissing
from ml.engines.embeddings import embedding_key


def known_digests(names: Iterable[str]) -> dict[str, str]:
    """Return the digests of these backbones, without those whose weights are not here."""
    found = ((name, _find(name)) for name in sorted(set(names)))
    return {name: backbone.digest for name, backbone in found if backbone is not None}


def list_features(own: Iterable[str]) -> dict[str, int]:
    """Return how many features an embedding has, by how its key begins.

    It is of all backbones that any project may use, and of custom ones only of `own`: what others have added is theirs.
    """
    found = (_find(name) for name in (*BACKBONES, *own))
    return {prefix_of(embedding_key(one.digest)): one.features for one in found if one is not None}


def prefix_of(key: str) -> str:
    """Return the part of an embedding's key that names the backbone."""
    return key.partition("-")[0]


def list_keys(images: "QuerySet[Image]", own: Iterable[str]) -> list[str]:
    """List the keys of the embeddings of these pictures that the project may take along."""
    known = list_features(own)
    keys = Embedding.objects.using(images.db).filter(image__in=images.order_by()).order_by()
    return [key for key in keys.values_list("key", flat=True).distinct() if prefix_of(key) in known]


def _find(name: str) -> Backbone | None:
    """Return the backbone if its digest can be told here."""
    try:
        found = find_backbone(name) if name not in BACKBONES else get_backbone(name, settings.ML)
        found.digest  # noqa: B018 - looks for the weights
    except (WeightsMissing, BackboneMissing, UnknownBackbone, OSError):
        return None
    return found
