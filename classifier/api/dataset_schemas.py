"""Shapes of dataset versions and of what differs between them."""

from datetime import datetime

from ninja import Field, Schema


class DatasetClass(Schema):
    id: int
    name: str = Field(description="as it is today")


class DatasetVersionOut(Schema):
    number: int
    digest: str
    pictures: int
    classes: list[DatasetClass]
    splits: dict[str, int]
    model_versions: list[int] = Field(description="the numbers of those that were trained with it")
    created_at: datetime


class DatasetPicture(Schema):
    sha256: str
    class_name: str
    split: str
    group: str
    is_there: bool = Field(description="false: it has been deleted for good since")


class DatasetDetail(DatasetVersionOut):
    samples: list[DatasetPicture]
    next: str | None = Field(description="pass as `after` to get the next page")


class DifferenceOut(Schema):
    sha256: str
    class_before: str | None = Field(description="null: it was not there")
    class_after: str | None = Field(description="null: it is not there")
    split_before: str | None
    split_after: str | None


class ComparisonOut(Schema):
    came: int
    went: int
    moved: int = Field(description="in another class")
    resplit: int = Field(description="in another split")
    differences: list[DifferenceOut] = Field(description="those of the `kind` that was asked for")
    next: str | None = Field(description="pass as `after` to get the next page")


class RestoredOut(Schema):
    changed: int
    change: int = Field(description="its id, to undo it")
    purged: int = Field(description="pictures of the version that were deleted for good and did not come back")
