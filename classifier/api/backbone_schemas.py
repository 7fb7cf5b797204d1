"""The API's shapes of backbones, and of networks that people add."""

from typing import Literal

from ninja import Field, Schema


class BackboneOut(Schema):
    name: str
    title: str
    input_size: int = Field(description="pixels, square")
    features: int = Field(description="numbers per picture")
    licence: str
    source: str
    hub_version: int = Field(description="for hub.load: /hub/backbones/NAME/HUB_VERSION")
    digest: str
    default: bool
    bundled: bool = Field(
        description="its weights come with PoetsWeb; those of others are downloaded by the first training"
    )
    ready: bool = Field(description="converted on this machine; otherwise the first training with it converts it")
    file_bytes: int | None = Field(description="of the converted file, once it is ready")
    images_per_second: float | None = Field(description="on all cores of this machine, once it is ready")
    engine: Literal["litert", "tensorflow"] = Field(
        description='"tensorflow" if LiteRT cannot run it; workers then compute the predictions'
    )
    own: bool = Field(description="added by you")


class PicturesIn(Schema, extra="forbid"):
    range: str = Field(
        "",
        description='range of the pixel values: "0..1", "-1..1", "0..255" or "label_image"; empty: what the file '
        "shows, or the usual one",
    )
    framing: str = Field(
        "",
        description='how pictures are made square: "whole", "centre" (the middle, as Teachable Machine crops) or '
        '"unsmoothed" (the whole, resized as TensorFlow for Poets did); empty: the usual one',
    )


class NetworkInterfaceIn(PicturesIn):
    input_size: int | None = Field(None, description="in pixels, if the file does not say")


class BackboneIn(NetworkInterfaceIn):
    handle: str = Field("", description="the address of a TF Hub module or of a file")
    title: str = ""
    licence: str = ""


class ImportIn(NetworkInterfaceIn):
    output: str = Field("", description="the output of a frozen graph, if it is not called final_result")
    labels: str = Field("", description="one label per line, as a text or a file")
    promote: bool = Field(False, description="make the version live as soon as it is imported")


class ReimportIn(PicturesIn):
    promote: bool = Field(False, description="make the new version live as soon as it is made")
