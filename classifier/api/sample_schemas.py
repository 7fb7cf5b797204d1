"""The shapes of samples, of acts upon them, and of what such an act has done."""

from datetime import datetime
from typing import Annotated, Literal, Self

from ninja import Field, Schema
from pydantic import StrictInt, model_validator

from classifier.api.schemas import Input
from classifier.sample_filters import SampleFilter
from classifier.services.samples import MAX_TAG_LENGTH
from ml.datasets.groups import MAX_GROUP_LENGTH


class SampleOut(Schema):
    id: int
    file: str
    sha256: str
    class_id: int | None = Field(description="null: it has no class")
    class_name: str | None
    split: str
    split_is_given: bool = Field(description="by a folder, a table or by hand, not dealt")
    group: str = Field(description="of samples that show the same thing; empty: none")
    tags: list[str]
    width: int
    height: int
    deleted: bool


class SamplePage(Schema):
    samples: list[SampleOut]
    next: str | None = Field(description="pass as `after`, with the same filter, to get the next page")


class SamplesIn(Input):
    ids: list[Annotated[StrictInt, Field(ge=0, lt=2**63)]] = Field([], max_length=10_000)
    filter: SampleFilter | None = Field(None, description="instead of ids: all that match, see `list_samples`")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if ("ids" in self.model_fields_set) == (self.filter is not None):
            raise ValueError("give either ids or a filter")
        return self


class ErasedOut(Schema):
    pictures: int = Field(description="that are no longer in the project")
    elsewhere: int = Field(description="of them, those that other projects that you can see have too, which keep them")
    dataset_versions: list[int] = Field(description="that had some of them")
    model_versions: list[int] = Field(description="that were trained with some of them, and stay usable")
    exports: int = Field(description="of these versions, which have been deleted")


class MoveIn(SamplesIn):
    class_id: StrictInt


class SplitIn(SamplesIn):
    split: Literal["training", "validation", "test"]


class GroupIn(SamplesIn):
    group: str = Field(max_length=MAX_GROUP_LENGTH)


class TagIn(SamplesIn):
    tag: str = Field(max_length=MAX_TAG_LENGTH)


class DownloadIn(SamplesIn):
    manifest_only: bool = Field(False, description="the table of the pictures, in CSV, without their files")


class ChangedOut(Schema):
    changed: int
    change: int = Field(description="the id of this act, to undo it")


class CountOut(Schema):
    changed: int


class ChangeOut(Schema):
    id: int
    kind: str
    description: str
    changed: int
    by: str | None
    undone: bool
    created_at: datetime
