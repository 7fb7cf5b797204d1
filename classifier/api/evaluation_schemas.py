"""The shapes of evaluations."""

from datetime import datetime
from typing import Literal

from ninja import Field, Schema

from ml.evaluation.curves import CoveragePoint
from ml.evaluation.reliability import Bin

Show = Literal["mistakes", "hits"]


class ClassRef(Schema):
    id: int
    name: str


class ClassScoresOut(ClassRef):
    n: int = Field(description="pictures of the class")
    predicted: int = Field(description="pictures that are taken for it")
    hits: int
    precision: float | None
    recall: float | None
    recall_interval: list[float] = Field(description="the 95 % confidence interval")
    f1: float | None
    average_precision: float | None


class ConfusionOut(Schema):
    true_class: ClassRef
    predicted_class: ClassRef
    count: int


class EvaluationOut(Schema):
    of: Literal["test", "all"]
    computed_at: datetime
    n: int = Field(description="pictures; 0 where there is nothing to measure on")
    groups: int = Field(description="how many of them are independent of each other")
    accuracy: float | None
    interval: list[float] = Field(description="the 95 % confidence interval")
    constant_class: ClassRef | None = Field(description="the most frequent class")
    constant_accuracy: float | None = Field(description="of always answering that")
    balanced_accuracy: float | None = Field(description="the mean recall of the classes")
    f1: float | None = Field(description="the mean of the classes")
    calibration_error: float | None = Field(description="expected calibration error over bins of equal width")
    classes: list[ClassScoresOut]
    confusions: list[ConfusionOut] = Field(description="what is taken for what, the most frequent first")
    order_by_likeness: list[int] = Field(description="ids of classes; those that are confused stand side by side")
    reliability: list[Bin]
    coverage: list[CoveragePoint]


class ThresholdOut(Schema):
    threshold: float
    called: int = Field(description="pictures whose probability of the class is at least this")
    right: int = Field(description="how many of them are of the class")
    precision: float | None
    recall: float | None


class CurveOut(Schema):
    image_class: ClassRef
    n: int
    average_precision: float | None
    recall: list[float] = Field(description="of the curve of precision over recall, at most 100 points")
    precision: list[float]
    thresholds: list[ThresholdOut] = Field(description="at 0 %, 1 %, ... 100 %")


class JudgedOut(Schema):
    sha256: str
    sample: int | None = Field(description="null: it is not in the project any more")
    file: str | None
    true_class: ClassRef = Field(description="that it had when it was answered; with of=all that of today")
    predicted_class: ClassRef
    probability: float = Field(description="of the predicted class")


class JudgedPage(Schema):
    count: int = Field(description="how many there are in all")
    pictures: list[JudgedOut]


class VerdictOut(Schema):
    better: Literal["before", "after", "neither", "unknown"] = Field(
        description="neither: no difference that chance would not make; unknown: too few pictures to tell"
    )
    p: float = Field(description="of McNemar's exact test, two-sided")
    differing: int = Field(description="independent pictures that only one of both classifies correctly")
    sentence: str


class ChangedPictureOut(Schema):
    sha256: str
    true_class: ClassRef
    before: ClassRef = Field(description="the class that the first version predicts")
    after: ClassRef


class ClassChangeOut(Schema):
    name: str
    n: int
    before: int = Field(description="of its pictures, how many the first version classifies correctly")
    after: int


class SettingOut(Schema):
    label: str
    before: str
    after: str


class DataChangeOut(Schema):
    came: int
    went: int
    moved: int = Field(description="to another class")
    resplit: int = Field(description="to another split")


class VersionComparisonOut(Schema):
    n: int = Field(description="pictures that both were tested on, with the same class; all figures are of these")
    hits_before: int
    hits_after: int
    fixed: int
    broken: int
    verdict: VerdictOut
    left_out: int = Field(description="test pictures of one version that are not in the test of the other")
    trained_on: int = Field(description="how many of those the other one was trained on or chosen by")
    relabelled: int = Field(description="pictures of both tests whose class has changed, which are left out")
    classes: list[ClassChangeOut]
    settings: list[SettingOut] = Field(description="those that differ")
    data: DataChangeOut


class ChangedPage(Schema):
    count: int
    pictures: list[ChangedPictureOut]
