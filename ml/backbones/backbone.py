"""Define a backbone: a pretrained network that turns a picture into features."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ml.backbones.spec import TENSORFLOW, BackboneSpec, Origin
from ml.backbones.weights import PublishedWeights
from ml.images.rendering import Framing
from ml.settings import MLSettings

# Builds a network: (file with the weights or None, input size in pixels) -> keras.Model, which takes float32 RGB
# 0..255 of shape (N, S, S, 3) and gives float32 features of shape (N, F). The result is Any because naming its type
# would import TensorFlow.
NetworkBuilder = Callable[[Path | None, int], Any]


@dataclass(frozen=True)
class Backbone:
    """A pretrained network: what it is called, where its weights are, and how to build it.

    Attributes:
        name: identifies it in configs, manifests and file names.
        input_size: width and height of the pictures it takes (S), in pixels.
        features: how many numbers it computes for a picture (F).
        find_weights: returns the weights file for the given settings, or raises `WeightsMissing`.
        builder: builds the keras.Model from the weights file and the input size; None if there are members.
        published: the address that the weights are downloaded from, if no package contains them.
        spec: describes a custom backbone; None for those in the registry.
        members: what it is made of, if it gives the features of several; then it has no weights of its own.
        settings: the settings of this machine, set by `get_backbone`; None for the registry's own entries.
    """

    name: str  # in configs, manifests and file names
    title: str  # shown to people
    input_size: int  # pixels, square
    features: int  # numbers per picture
    licence: str
    source: str  # package==version that carries the weights
    # Bump whenever the builder gives other numbers for the same weights (a layer, the preprocessing inside the
    # network, an epsilon): the digest follows, and nothing cached from the old builder is mixed with the new.
    version: int
    find_weights: Callable[[MLSettings], Path | None]  # None: the builder makes its own weights
    builder: NetworkBuilder | None  # None: it is made of its members
    hidden: bool = False  # not offered to people
    published: PublishedWeights | None = None  # where its weights are fetched from, if no package carries them
    origin: Origin = Origin.BUNDLED
    spec: BackboneSpec | None = None  # of a custom backbone
    members: tuple["Member", ...] = ()
    settings: MLSettings | None = None  # of this machine; the registry's own entries have none

    @property
    def is_trusted(self) -> bool:
        """Return whether it may run in our own processes, because nobody but us has made its files."""
        return self.origin in (Origin.BUNDLED, Origin.DOWNLOADED, Origin.FINE_TUNED)

    @property
    def may_run_unconfined(self) -> bool:
        """Return whether it runs even where the system cannot confine its process."""
        return self.is_trusted or self.machine.unconfined_networks

    @property
    def has_layers(self) -> bool:
        """Return whether it can be built from Keras layers; other backbones are frozen graphs or LiteRT files."""
        return self.spec is None

    @property
    def needs_tensorflow(self) -> bool:
        """Return whether LiteRT cannot run it, so that only workers can."""
        return self.spec is not None and self.spec.engine == TENSORFLOW

    @property
    def framing(self) -> Framing:
        """Return how pictures are made square for it."""
        return Framing.WHOLE if self.spec is None else self.spec.framing

    @property
    def machine(self) -> MLSettings:
        """Return the settings it was obtained with. Raise `LookupError` for an entry of the registry itself."""
        if self.settings is None:
            raise LookupError(f"The backbone {self.name} was not got with settings; see get_backbone.")
        return self.settings

    def ensure_weights(self, report: Callable[[int, int], None] = lambda received, total: None) -> None:
        """Download the weights if they are downloadable and missing, calling report(bytes so far, bytes in total).

        Raise `DownloadFailed` if that does not succeed.
        """
        if self.published is not None:
            self.published.ensure(self.machine, report)

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 (hex) of weights, name, version and input size, which is the same on every machine.

        Raise `WeightsMissing` if the weights' package is not installed, or if they have not been downloaded yet.
        """
        weights = self.find_weights(self.machine)
        parts = (
            _sha256_of(weights) if weights else "none",
            self.name,
            str(self.version),
            str(self.input_size),
            *(f"{member.weight} {member.backbone.digest}" for member in self.members_here),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def build_network(self) -> Any:
        """Build the keras.Model: float32 RGB 0..255 of shape (N, S, S, 3) to float32 features (N, F).

        Import TensorFlow; call it only in processes that may do so.
        """
        if self.builder is None:
            return _put_together(self.members_here, self.input_size)
        return self.builder(self.find_weights(self.machine), self.input_size)

    @property
    def members_here(self) -> list["Member"]:
        """List what it is made of, with the settings of this machine."""
        return [Member(replace(member.backbone, settings=self.settings), member.weight) for member in self.members]


class Member(NamedTuple):
    """A backbone that is a part of another, and what its features are multiplied by there.

    Heads are regularised: features that are multiplied by less count for less.
    """

    backbone: Backbone
    weight: float


def _put_together(members: Sequence[Member], size: int) -> Any:
    """Build a keras.Model that gives the features of several for the same picture (S, S, 3), one after the other.

    Each of their networks ends in an average over the places of a feature map. The map is multiplied and not the
    average, so that this one ends so too, and has heat maps.
    """
    import keras

    pictures, features = keras.Input((size, size, 3), name="pictures"), []
    for backbone, weight in members:
        network = backbone.build_network()
        *_, average = network.layers
        maps = keras.Model(network.inputs, average.input)(pictures)
        features.append(keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(weight)(maps)))
    return keras.Model(pictures, keras.layers.Concatenate(name="features")(features))


@cache  # weights never change under a running process, and 20 MB take 15 ms to hash
def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
