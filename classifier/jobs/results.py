"""What each kind of job leaves, as its row keeps it and the API tells it."""

from typing import Any

from pydantic import BaseModel, Field


class NoResult(BaseModel, extra="forbid"):
    """A job that leaves nothing to tell of."""


class UploadResult(BaseModel, extra="forbid"):
    """What became of one file."""

    file: str
    status: str = Field(description="stored, duplicate or rejected")
    reason: str


class IngestResult(BaseModel, extra="forbid"):
    upload: int | None = Field(None, description="the upload, whose report has all files")
    plan: dict[str, Any] | None = Field(
        None, description="what was understood; with questions while the job waits for an answer, see `answer_upload`"
    )
    counts: dict[str, int] | None = Field(None, description="files by status")
    results: list[UploadResult] | None = Field(None, description="the first 1,000 files, once the job has ended")


class VersionResult(BaseModel, extra="forbid"):
    model_version: int | None = Field(None, description="the number of the model version")
    unchanged: bool = Field(
        False, description="whether this version existed already, made from the same pictures and settings"
    )
    not_live: list[str] | None = Field(
        None, description="why it was not made live: the conditions of the quality gate that it does not meet"
    )


class TrainResult(VersionResult):
    event_files: int | None = Field(None, description="bytes of the event files for TensorBoard, if there are any")
    stopped_early: bool = Field(False, description="whether somebody stopped it and kept what it had reached")


class ReproduceResult(BaseModel, extra="forbid"):
    """Whether training again from the frozen inputs gave the same, bit for bit."""

    reproduced: int | None = Field(None, description="the number of the model version that was trained again")
    identical: bool | None = Field(None, description="whether all files of the artifact are the same, byte for byte")
    head_identical: bool | None = Field(None, description="whether the weights of the trained layer are")
    answers_identical: bool | None = Field(None, description="whether the answers to the test pictures are")
    metrics_identical: bool | None = None
    largest_difference: float | None = Field(None, description="of any weight; null where they have other shapes")
    digest: str | None = Field(None, description="of the new artifact, which is not kept")
    reasons: list[str] | None = Field(None, description="what was otherwise, in sentences")


class EmbedResult(BaseModel, extra="forbid"):
    computed: int = Field(0, description="pictures whose embedding was not there yet")


class AuditResult(BaseModel, extra="forbid"):
    findings: dict[str, int] | None = Field(None, description="how many there are of each kind")


class BackboneTrial(BaseModel, extra="forbid"):
    """How heads on one backbone answer to pictures that they have not learnt from."""

    backbone: str
    title: str
    correct: int = Field(description="pictures that are answered rightly")
    fixed: int = Field(description="of those, pictures that the current backbone gets wrong")
    broken: int = Field(description="pictures that only the current backbone gets right")
    p: float = Field(description="how often chance alone makes such a difference (McNemar's exact test)")
    milliseconds: float = Field(description="for one picture on one core of the worker")


class BackboneComparison(BaseModel, extra="forbid"):
    """How backbones do on the same pictures."""

    pictures: int | None = Field(None, description="how many all of them were judged by, in cross-validation")
    compared_with: str | None = Field(None, description="the current backbone")
    trials: list[BackboneTrial] | None = Field(None, description="the most accurate first")


class ProjectFileResult(BaseModel, extra="forbid"):
    pictures: int | None = Field(None, description="how many are in the file")
    left_out: int | None = Field(None, description="pictures that are missing or damaged, and so not in it")
    project_file: int | None = Field(None, description="bytes of the file, as long as it can be downloaded")


class ExportResult(BaseModel, extra="forbid"):
    export: str | None = Field(None, description="the format")


class BackboneResult(BaseModel, extra="forbid"):
    backbone: str | None = Field(None, description="the name to train with")
