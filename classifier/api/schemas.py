"""The shapes of requests and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal, Union

from ninja import Field, Schema
from pydantic import SkipValidation, StrictBool, StrictInt, create_model

from classifier.jobs.kinds import KINDS
from classifier.jobs.results import UploadResult
from classifier.services import known
from ml.training.config import TrainConfig
from ml.training.setting import bounds_in_json_schema, extra_of


class Input(Schema, extra="forbid"):
    """What a body may hold. Anything else is refused: a misspelt name would otherwise change nothing in silence."""


class ErrorOut(Schema):
    error: str
    job: int | None = Field(None, description="the training that is already running")
    warnings: list[str] | None = Field(None, description='what `"force": true` overrides')


class ProjectIn(Input):
    name: str


class ProjectOut(Schema):
    slug: str
    name: str
    created_at: datetime


Percent = Annotated[StrictInt, Field(ge=1, le=100)]


class ProjectSettings(Schema):
    """The quality gate, and whether the project is always up to date."""

    least_accuracy: int | None = Field(description="percent, of all classes together; null for no condition")
    least_recall: int | None = Field(description="percent, of each class; null for no condition")
    not_worse: bool = Field(description="not significantly worse than the live version on the same test pictures")
    up_to_date: bool = Field(description="whether a candidate is trained whenever pictures or labels change")
    keeps_passing: bool = Field(description="whether a candidate that passes the gate becomes a version, and live")


class ProjectSettingsIn(Input):
    """What is left out stays as it is."""

    least_accuracy: Percent | None = Field(None, description="percent; null for no condition")
    least_recall: Percent | None = Field(None, description="percent, of each class; null for no condition")
    not_worse: StrictBool = Field(False, description="not significantly worse than the live version")
    up_to_date: StrictBool = Field(False, description="train a candidate whenever pictures or labels change")
    keeps_passing: StrictBool = Field(
        False, description="a candidate that passes the gate becomes a version, and live; needs both of them"
    )


class SampleProjectIn(Input):
    name: Literal["digits", "flowers"]


class SampleProjectOut(Schema):
    slug: str
    job: int


class ClassOut(Schema):
    id: int
    name: str
    samples: int
    description: str
    colour: str = Field(description="as #3b5bdb; of the palette where none was chosen")
    position: int = Field(description="where it is listed; of equal ones by name")
    in_training: bool = Field(description="whether trainings use its pictures")
    is_negative: bool = Field(description="whether it stands for “none of these”")


class ProjectDetail(ProjectOut):
    classes: list[ClassOut]
    live_version: int | None


class ClassIn(Input):
    name: str


class ClassChanges(Input):
    """What is left out stays as it is."""

    name: str | None = None
    description: str | None = None
    colour: str | None = Field(None, description="as #3b5bdb; empty for a colour of the palette")
    in_training: bool | None = None
    is_negative: bool | None = None
    place: Annotated[StrictInt, Field(ge=1, lt=2**31)] | None = Field(None, description="in the list, from 1")


class MergeIn(Input):
    into: StrictInt = Field(description="the id of the class that stays", ge=0, lt=2**63)


class UploadOut(Schema):
    upload: int
    results: list[UploadResult]


class FromSourceIn(Input):
    source: str = Field(max_length=1000, description="one of those that `list_sources` returns")
    path: str = Field("", max_length=1000, description="of a folder or an archive in it; empty: all of it")
    layout: str = Field("", max_length=1000, description="where the classes are, such as first, last or table")
    dry_run: StrictBool = Field(False, description="only answer what is understood of it")


class AnswerIn(Input):
    layout: str = Field(max_length=1000, description="the layout of an option, or another")


class UploadSummary(Schema):
    id: int
    source: str
    job: int | None
    counts: dict[str, int]
    created_at: datetime


class ResumableOut(Schema):
    id: str
    name: str
    size: int = Field(description="bytes of the whole archive")
    offset: int = Field(description="bytes that are kept; the next part begins here")
    last_modified: int | None
    upload: int | None = Field(description="the upload that it has become, once all has come")
    job: int | None = Field(description="the job that reads it then")
    created_at: datetime
    expires_at: datetime = Field(description="when it is deleted, if no part comes before")


class KnownIn(Input):
    sha256s: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(max_length=known.MOST)


class KnownOut(Schema):
    known: dict[str, str | None] = Field(description="the class, or null, of each picture that need not be sent")


class PreflightOut(Schema):
    errors: list[str]
    warnings: list[str]
    running_job: int | None


class JobRef(Schema):
    job: int


def _setting_fields() -> dict[str, Any]:
    """Give each setting of a training its type and its words in the API's description.

    Their values are checked by TrainConfig alone, whose sentences name what is allowed.
    """
    fields = {}
    for name, field in TrainConfig.model_fields.items():
        extra: dict[str, Any] = dict(bounds_in_json_schema(field))
        if choices := extra_of(field).get("choices"):
            extra["enum"] = list(choices)
        described = Field(field.default, description=field.description, json_schema_extra=extra)
        fields[name] = (SkipValidation[field.annotation | None], described)  # type: ignore[name-defined,misc]
    return fields


class _TrainOptions(Input):
    promote: StrictBool = Field(False, description="Make the version live as soon as it is trained.")
    force: StrictBool = Field(False, description="Train in spite of warnings.")

    def config_values(self) -> dict[str, Any]:
        """Return the settings that were given."""
        given = {name: getattr(self, name) for name in self.model_fields_set & TrainConfig.model_fields.keys()}
        return {name: value for name, value in given.items() if value is not None}


class TrainIn(create_model("TrainSettings", __base__=_TrainOptions, **_setting_fields())):  # type: ignore[misc]
    """The settings of a training; all of them are optional."""


class ExportIn(Input):
    format: str


class Certificate(Schema):
    """A comparison of an exported file with the site on the test pictures."""

    n: int
    agreement: float = Field(description="share of pictures for which both predict the same class")
    none_of_these_agreement: float | None = Field(
        None, description="share of pictures that both take for none of the classes, or neither"
    )
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
    has_old_names: bool = Field(description="a class was renamed since it was made; asked for again, it is made anew")


class PublicLinkOut(Schema):
    url: str


class JobFacts(Schema):
    id: int
    project: str | None = Field(description="its slug; null where a backbone is added for all of yours")
    number: int | None = Field(description="within its project, as the pages show it")
    kind: str
    status: Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
    stage: str
    progress: float
    done: int
    total: int
    rate: float | None
    eta_seconds: float | None = Field(description="until it has ended; null while it waits")
    late_seconds: float | None = Field(description="by which its stage takes longer than was foreseen, null where not")
    position: int | None = Field(description="in the queue, from 1, until a worker takes it")
    worker: str = Field(description="name@machine of who has it, or had it last")
    attempts: int = Field(description="how many times a worker began it or went on with it after a break")
    worker_deaths: int = Field(description="how many workers died on it without getting any further")
    error: str
    waits_for: str = Field(
        description="what is away that the job needs, after which it continues by itself, or “an answer”"
    )
    curve: list[dict[str, float]] = Field(description="of the head by `step`, of fine-tuning by `epoch`")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


_SHAPES: Any = Union[tuple(dict.fromkeys(kind.result for kind in KINDS.values()))]  # noqa: UP007 - made of a tuple
JobOut = create_model(
    "JobOut", __base__=JobFacts, result=(_SHAPES, Field(description="by the job’s kind; null is not known yet"))
)


class JobLogLineOut(Schema):
    at: datetime
    level: Literal["info", "warning", "error"]
    text: str


class Prediction(Schema):
    name: str
    probability: float


class FilePrediction(Schema):
    file: str
    classes: list[Prediction]
    none_of_these: bool = Field(description="whether the picture shows none of the classes, as far as can be told")
    reason: str | None = Field(
        None,
        description="why it is none of these: `unlike` all pictures trained on; `unsure`, less probable than answers "
        "must be; `other`, the class for other things",
    )
    likeness: float | None = Field(None, description="to the pictures trained on, -1 to 1; null where it is unknown")
    error: str | None = Field(None, description="why this picture could not be read")


class ClassifyOut(Schema):
    project: str
    model_version: int
    predictions: list[FilePrediction]
    milliseconds: float
