"""The shapes of requests and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import create_model

from classifier.jobs.kinds import KINDS, UploadResult


class ErrorOut(Schema):
    error: str
    job: int | None = Field(None, description="the training that is already under way")
    warnings: list[str] | None = Field(None, description='what `"force": true` overrides')


class ProjectIn(Schema):
    name: str


class ProjectOut(Schema):
    slug: str
    name: str
    created_at: datetime


class SampleProjectIn(Schema):
    name: Literal["digits", "flowers"]


class SampleProjectOut(Schema):
    slug: str
    job: int


class ClassOut(Schema):
    id: int
    name: str
    samples: int


class ProjectDetail(ProjectOut):
    classes: list[ClassOut]
    live_version: int | None


class ClassIn(Schema):
    name: str


class SampleOut(Schema):
    id: int
    file: str
    sha256: str
    class_id: int
    class_name: str
    split: str
    width: int
    height: int
    deleted: bool


class SamplePage(Schema):
    samples: list[SampleOut]
    next: int | None = Field(description="pass as `before` to get the next page")


class SamplesIn(Schema):
    ids: list[Annotated[int, Field(ge=0, lt=2**63)]] = Field(max_length=10_000)


class MoveIn(SamplesIn):
    class_id: int


class ChangedOut(Schema):
    changed: int


class UploadOut(Schema):
    upload: int
    results: list[UploadResult]


class UploadSummary(Schema):
    id: int
    source: str
    job: int | None
    counts: dict[str, int]
    created_at: datetime


class PreflightOut(Schema):
    errors: list[str]
    warnings: list[str]
    running_job: int | None


class JobRef(Schema):
    job: int


class TrainIn(Schema, extra="forbid"):
    """All optional. Values are checked by the training's own config, whose sentences name what is allowed."""

    backbone: Any = None
    recipe: Any = Field(None, description='"auto" or "poets"')
    seed: Any = None
    validation_percentage: Any = None
    testing_percentage: Any = None
    steps: Any = Field(None, description='for "poets"')
    learning_rate: Any = Field(None, description='for "poets"')
    batch_size: Any = Field(None, description='for "poets"')
    flip_left_right: Any = Field(None, description="true: training pictures are mirrored as well")
    random_crop: Any = Field(
        None, description="0 to 100 %; training pictures are enlarged by so much and cut at random"
    )
    random_scale: Any = Field(None, description="0 to 100 %; enlarged by up to so much beside that")
    random_brightness: Any = Field(None, description="0 to 100 %; up to so much lighter or darker")
    distorted_views: Any = Field(
        None, description="1 to 16, by default 4: views of each training picture, where one of these four is given"
    )
    fine_tuning: Any = Field(
        None, description='"last" or "all": the backbone\'s last blocks, or all of it, are trained on as well'
    )
    fine_tuning_epochs: Any = Field(
        None, description="1 to 100, by default 10: at most; it stops when nothing improves"
    )
    fine_tuning_rate: Any = Field(None, description="above 0, at most 1, by default 0.0001: Adam's learning rate")
    promote: bool = Field(False, description="make the version live as soon as it is trained")
    force: bool = Field(False, description="train in spite of warnings")

    def config_values(self) -> dict[str, Any]:
        """What was given of the training's config."""
        return self.model_dump(exclude={"promote", "force"}, exclude_none=True)


class ExportIn(Schema):
    format: str


class Certificate(Schema):
    """How the file answers the test pictures, beside the site."""

    n: int
    agreement: float = Field(description="share of pictures with the same first answer")
    mean_difference: float = Field(description="mean |Δp| over all classes and pictures")
    largest_difference: float
    accuracy: float
    site_accuracy: float
    milliseconds: float = Field(description="for one picture, on the worker")
    passed: bool
    reasons: list[str]


class ExportOut(Schema):
    format: str
    status: Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
    job: int | None
    size: int | None = Field(description="bytes of the zip, once it is made")
    sha256: str | None
    certificate: Certificate | None
    error: str


class PublicLinkOut(Schema):
    url: str


def _result_fields() -> dict[str, Any]:
    """Collect the fields of the results of all kinds of job, none of them required."""
    fields = {name: field for kind in KINDS.values() for name, field in kind.result.model_fields.items()}
    return {
        name: (field.annotation, Field(field.default, description=field.description)) for name, field in fields.items()
    }


JobResult = create_model("JobResult", __base__=Schema, **_result_fields())


class JobOut(Schema):
    id: int
    number: int | None = Field(description="within its project, as the pages show it")
    kind: str
    status: Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
    stage: str
    progress: float
    done: int
    total: int
    rate: float | None
    eta_seconds: float | None
    error: str
    curve: list[dict[str, float]] = Field(description="of the head by `step`, of fine-tuning by `epoch`")
    result: JobResult  # type: ignore[valid-type]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


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
        description="whose weights it has; 0: none was better than before, the backbone is as it was"
    )
    before: Validation
    after: Validation


class Metrics(Schema):
    test_accuracy: float | None
    test_n: int
    interval: list[float]
    per_class: list[PerClass]
    confusion: list[list[int]]
    fine_tuning: FineTuning | None = None


class VersionOut(Schema):
    number: int
    live: bool
    backbone: str
    config: dict[str, Any]
    dataset_version: int
    dataset_digest: str
    artifact_digest: str
    metrics: Metrics
    created_at: datetime


class TestPicture(Schema):
    sha256: str
    shown: str
    answered: str
    probability: float


class TestPicturesOut(Schema):
    pictures: list[TestPicture]


class Prediction(Schema):
    name: str
    probability: float


class FilePrediction(Schema):
    file: str
    classes: list[Prediction]
    error: str | None = Field(None, description="why this picture could not be read")


class ClassifyOut(Schema):
    project: str
    model_version: int
    predictions: list[FilePrediction]
    milliseconds: float
