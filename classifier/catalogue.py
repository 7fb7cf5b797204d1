"""The backbones that one can choose from, with what is known of each on this machine."""

from dataclasses import dataclass

from django.conf import settings

from worker.backbones import BACKBONES, Backbone, WeightsMissing
from worker.backbones.convert import converted_path
from worker.backbones.speed import read_speed


@dataclass(frozen=True)
class Listed:
    name: str
    title: str
    input_size: int  # pixels, square
    features: int  # numbers per picture
    licence: str
    source: str
    digest: str  # empty where its weights are not installed
    default: bool
    bundled: bool  # its weights come with PoetsWeb; others are downloaded at the first training
    ready: bool  # converted on this machine; otherwise the first training with it does that
    file_bytes: int | None  # of the converted file, once it is ready
    images_per_second: float | None  # likewise, on all cores of this machine


def list_backbones() -> list[Listed]:
    """Those offered to people, and the default one whatever it is."""
    offered = [one for one in BACKBONES.values() if not one.hidden or one.name == settings.BACKBONE]
    return [_describe(backbone) for backbone in offered]


def _describe(backbone: Backbone) -> Listed:
    try:
        digest = backbone.digest
        path = converted_path(backbone, settings.BACKBONE_DIR)
    except WeightsMissing:
        digest, path = "", None
    return Listed(
        name=backbone.name,
        title=backbone.title,
        input_size=backbone.input_size,
        features=backbone.features,
        licence=backbone.licence,
        source=backbone.source,
        digest=digest,
        default=backbone.name == settings.BACKBONE,
        bundled=backbone.published is None,
        ready=path is not None and path.is_file(),
        file_bytes=path.stat().st_size if path is not None and path.is_file() else None,
        images_per_second=read_speed(path) if path else None,
    )
