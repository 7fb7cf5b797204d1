"""Why a model version answers as it does: the places of a picture that speak for a class, and what it looks like."""

import functools
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from classifier.models import ModelVersion
from classifier.selectors import class_names
from classifier.services.custom_backbones import find_backbone
from classifier.services.prediction import get_engine, load_cached
from classifier.services.training_pictures import SimilarPicture, list_similar_training_pictures
from ml.engines.conversion import converted_path
from ml.engines.feature_maps import NoFeatureMap, has_feature_map
from ml.errors import Refused, UserError
from ml.explaining.heat_maps import HeatMaps
from ml.serving.current import inference
from ml.serving.inference import Network, Overlay

OVERLAY = 480  # pixels, at most: to write a larger PNG takes longer than to compute the heat


class UnknownClass(Refused):
    """The version has no class of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"This version has no class “{name[:60]}”.")


@dataclass(frozen=True)
class Explanation:
    """What speaks for a class in a picture.

    Attributes:
        version: whose answer it is.
        names: of its classes, in the order of its head's outputs.
        place: of the class that is explained.
        maps: the heat of all classes.
    """

    version: ModelVersion
    names: list[str]
    place: int
    maps: HeatMaps

    @property
    def class_name(self) -> str:
        return self.names[self.place]

    @property
    def classes(self) -> list[tuple[str, float]]:
        """Return the (name, probability) of all classes, the likeliest first."""
        shares = self.maps.head.probabilities(self.maps.pooled[None])[0].tolist()
        return sorted(zip(self.names, shares, strict=True), key=lambda pair: -pair[1])


def may_explain(backbone_name: str) -> bool:
    """Return whether a backbone has heat maps, as far as is known before it is first used. Nothing is made ready."""
    try:
        backbone = find_backbone(backbone_name)
        if backbone.needs_tensorflow or not backbone.is_trusted:  # which run where no map can be had
            return False
        path = converted_path(backbone, settings.ML.backbones_dir)
        return not path.exists() or _has_map(path)
    except (UserError, OSError):
        return False


@functools.lru_cache(maxsize=64)  # a converted backbone never changes
def _has_map(path: Path) -> bool:
    return has_feature_map(path)


def explain(version: ModelVersion, data: bytes, wanted: str = "") -> Explanation:
    """Explain what a version says of a picture: of the class `wanted`, or else of the likeliest one.

    Raise UnknownClass, NoFeatureMap, ImageRejected, and whatever classifying raises.
    """
    names = class_names(version)
    if wanted and wanted not in names:
        raise UnknownClass(wanted)
    network = get_engine(version.backbone)
    if not isinstance(network, Network) or not _has_map(network.file):
        raise NoFeatureMap
    head = load_cached(version.artifact_digest).head
    maps = HeatMaps(inference().feature_map(data, network, settings.IMAGE_LIMITS), head)
    return Explanation(version, names, names.index(wanted) if wanted else int(maps.logits.argmax()), maps)


def draw_heat(explanation: Explanation, data: bytes, kind: str = "JPEG") -> bytes:
    """Return the picture with its heat over it, as a JPEG or PNG."""
    how = Overlay(find_backbone(explanation.version.backbone).framing, kind, settings.IMAGE_LIMITS)
    return inference().overlay(data, explanation.maps.warmth(explanation.place), OVERLAY, how)


def list_similar(explanation: Explanation, *, but: str = "") -> list[SimilarPicture]:
    """List the training pictures that look most like the explained one, whose sha256 is `but` if it is among them."""
    return list_similar_training_pictures(explanation.version, explanation.maps.pooled, but=but)
