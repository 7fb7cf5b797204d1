"""The backbones that one can choose from, with what is known of each on this machine."""

from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from classifier.models import CustomBackbone
from classifier.selectors import list_custom_backbones
from classifier.services.custom_backbones import find_spec
from ml.backbones.backbone import Backbone
from ml.backbones.custom import custom_backbone
from ml.backbones.registry import BACKBONES, get_backbone
from ml.backbones.spec import LITERT, TENSORFLOW, parse_spec
from ml.backbones.weights import WeightsMissing
from ml.engines.conversion import converted_path
from ml.engines.speed import read_speed

USUAL_SIZE = 224  # pixels


@dataclass(frozen=True)
class BackboneInfo:
    name: str
    title: str
    input_size: int  # pixels, square
    features: int  # numbers per picture
    licence: str
    source: str
    hub_version: int  # for its address, /hub/backbones/NAME/VERSION
    digest: str  # empty where its weights are not installed
    default: bool
    bundled: bool  # its weights come with PoetsWeb; others are downloaded at the first training
    ready: bool  # converted on this machine; otherwise the first training with it does that
    file_bytes: int | None  # of the converted file, once it is ready
    images_per_second: float | None  # likewise, on all cores of this machine
    engine: str  # "litert"; "tensorflow" where LiteRT cannot run it: then workers answer, which is slower
    own: bool  # added by this user


def list_backbones(user: User) -> list[BackboneInfo]:
    """List the backbones offered to everybody, with the site's default in any case, then those that this user added."""
    offered = [
        get_backbone(name, settings.ML)
        for name, one in BACKBONES.items()
        if not one.hidden or name == settings.BACKBONE
    ]
    added = list_custom_backbones(user).exclude(name="")
    theirs = [custom_backbone(parse_spec(custom.spec["text"]), settings.ML) for custom in added]
    return [_describe(backbone) for backbone in [*offered, *theirs]]


def _describe(backbone: Backbone) -> BackboneInfo:
    try:
        digest = backbone.digest
        path = converted_path(backbone, settings.ML.backbones_dir)
    except (WeightsMissing, OSError):  # its files may not be on this machine yet
        digest, path = "", None
    in_tensorflow = backbone.needs_tensorflow
    speed = read_speed(path) if path else None
    return BackboneInfo(
        name=backbone.name,
        title=backbone.title,
        input_size=backbone.input_size,
        features=backbone.features,
        licence=backbone.licence,
        source=backbone.source,
        hub_version=backbone.version,
        digest=digest,
        default=backbone.name == settings.BACKBONE,
        bundled=backbone.published is None,
        ready=path is not None and (path.is_file() or (in_tensorflow and speed is not None)),
        engine=TENSORFLOW if in_tensorflow else LITERT,
        own=backbone.spec is not None,
        file_bytes=path.stat().st_size if path is not None and path.is_file() else None,
        images_per_second=speed,
    )


def backbone_title(name: str) -> str:
    """Return what people call a backbone, for example EfficientNet-Lite0; the name itself where it is unknown."""
    if name in BACKBONES:
        return BACKBONES[name].title
    title = CustomBackbone.objects.filter(name=name).values_list("title", flat=True).first()
    return title or name


def input_size(name: str) -> int:
    """Return how wide and high the pictures are that a backbone looks at, in pixels; the usual where it is gone."""
    known = BACKBONES.get(name) or find_spec(name)
    return known.input_size if known else USUAL_SIZE


def custom_backbone_facts(custom: CustomBackbone) -> dict[str, Any] | None:
    """Return the spec of a custom backbone, with its `speed` on this machine; None before its job has opened it."""
    if not custom.spec:
        return None
    spec = parse_spec(custom.spec["text"])
    try:
        speed = read_speed(converted_path(custom_backbone(spec, settings.ML), settings.ML.backbones_dir))
    except OSError:  # its files are not on this machine yet
        speed = None
    return {**asdict(spec), "speed": speed}
