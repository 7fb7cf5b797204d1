"""The API's shapes of backbones, and of networks that people bring along."""

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
    bundled: bool = Field(description="its weights come with PoetsWeb; others are downloaded at the first training")
    ready: bool = Field(description="converted on this machine; otherwise the first training with it does that")
    file_bytes: int | None = Field(description="of the converted file, once it is ready")
    images_per_second: float | None = Field(description="likewise, on all cores of this machine")
    engine: Literal["litert", "tensorflow"] = Field(
        description='"tensorflow" where LiteRT cannot run it: then workers answer'
    )
    own: bool = Field(description="brought along by you")


class _Interface(Schema, extra="forbid"):
    range: str = Field("", description='what pixels become: "0..1", "-1..1", "0..255" or "label_image"; else as usual')
    input_size: int | None = Field(None, description="pixels, where the file does not say")


class BackboneIn(_Interface):
    handle: str = Field("", description="the address of a TF Hub module or of a file")
    title: str = ""
    licence: str = ""


class ImportIn(_Interface):
    output: str = Field("", description="of a frozen graph, where it is not called final_result")
