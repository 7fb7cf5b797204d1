"""Shapes of model versions and of what was measured of them."""

from datetime import datetime
from typing import Any

from ninja import Field, Schema
from pydantic import StrictBool

from classifier.api.schemas import Input


class PerClass(Schema):
    name: str
    n: int
    precision: float | None
    recall: float | None


class Validation(Schema):
    validation_loss: float
    validation_accuracy: float


class FineTuning(Schema):
    epochs: int
    best_epoch: int = Field(
        description="the epoch whose weights it has; 0 if none was better and the backbone is unchanged"
    )
    before: Validation
    after: Validation


class CrossValidation(Schema):
    accuracy: float | None
    n: int
    groups: int
    interval: list[float]
    folds: int


class Calibration(Schema):
    temperature: float = Field(description="by which the logits were divided")
    n: int = Field(description="unseen pictures by which it was found")
    before: float | None = Field(description="the calibration error on the test pictures without it")


class NoneOfThese(Schema):
    n: int = Field(description="test pictures of the classes")
    refused: int = Field(description="how many of them are said to be none of the classes")
    others: int = Field(description="test pictures of other things")
    others_refused: int


class Metrics(Schema):
    test_accuracy: float | None
    test_n: int
    test_groups: int | None = Field(None, description="how many of the test pictures are independent of each other")
    interval: list[float]
    cross_validation: CrossValidation | None = Field(
        None, description="of all pictures, where the test pictures are too few to tell"
    )
    per_class: list[PerClass]
    confusion: list[list[int]]
    fine_tuning: FineTuning | None = None
    calibration: Calibration | None = None
    calibration_error: float | None = Field(None, description="on the test pictures, over 15 bins")
    none_of_these: NoneOfThese | None = None


class Accuracy(Schema):
    accuracy: float | None
    interval: list[float] = Field(description="the 95 % confidence interval")
    n: int
    groups: int = Field(description="how many of the n pictures are independent of each other")
    by: str = Field(description="test or cross_validation")


class DescribeIn(Input):
    """What is left out stays as it is."""

    name: str | None = Field(None, max_length=100)
    note: str | None = Field(None, max_length=2000)
    pinned: StrictBool | None = Field(None, description="stands before the others")


class VersionOut(Schema):
    number: int
    name: str
    note: str
    pinned: bool
    accuracy: Accuracy = Field(description="on new pictures, as far as can be told")
    live: bool
    backbone: str
    config: dict[str, Any]
    dataset_version: int
    dataset_digest: str
    artifact_digest: str
    metrics: Metrics
    without_leaks: Accuracy | None = Field(
        None, description="on the test pictures that show nothing it was trained on, where others do"
    )
    created_at: datetime


class TestPicture(Schema):
    sha256: str
    true_class: str
    predicted_class: str
    probability: float


class TestPicturesOut(Schema):
    pictures: list[TestPicture]


class AdviceOut(Schema):
    kind: str = Field(description="what it is about, such as few_pictures, confused or wrong_labels")
    sentence: str = Field(description="what to do")
    evidence: str = Field(description="the fact that speaks for it")
    address: str = Field(description="the page where to do it")
    button: str


class GateCondition(Schema):
    name: str = Field(description="of the project's setting")
    wanted: str
    passed: bool
    found: str


class GateOut(Schema):
    passed: bool = Field(description="whether every condition holds; true where the project has none")
    conditions: list[GateCondition]


class CandidateOut(Schema):
    up_to_date: bool = Field(description="the project's setting; where it is false there is nothing else")
    training: bool = Field(False, description="whether a newer one waits for a rest of changes, or is being trained")
    version: int | None = Field(None, description="the number of the version that it is, if that is there")
    reason: str = Field("", description="why there is no figure")
    accuracy: Accuracy | None = None
    live_accuracy: Accuracy | None = Field(None, description="of the live version that it was compared with")
    live_version: int | None = None
    labels: int = Field(0, description="pictures that came or were labelled anew since the live version")
    removed: int = Field(0, description="pictures that went since")
    failures: list[str] = Field([], description="conditions of the quality gate that keep it from being kept by itself")
    artifact_digest: str | None = None
    trained_at: datetime | None = None
    can_be_kept: bool = False
