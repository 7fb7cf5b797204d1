"""The shapes of requests and answers about audits."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import StrictBool, StrictInt

from classifier.api.schemas import Input
from ml.audit.kinds import KINDS
from ml.audit.learning_curve import LearningCurve

if TYPE_CHECKING:
    Kind = str
else:  # one of those that there are
    Kind = Literal[tuple(KINDS)]


class KindOut(Schema):
    kind: str
    title: str
    sentence: str
    severity: str = Field(description="serious, check or hint")
    count: int
    dismissed: int


class FindingOut(Schema):
    id: int
    kind: str
    sample: int | None = Field(description="null: it is about the class")
    file: str | None
    class_id: int | None = Field(description="that it is about, or that the sample had when it was found")
    score: float = Field(description="larger is worse, within one kind")
    details: dict[str, Any]
    dismissed: bool


class AuditOut(Schema):
    created_at: datetime | None = Field(description="null: the pictures have not been checked yet")
    samples: int = Field(description="that were checked")
    learning_curve: LearningCurve = Field(description="whether more pictures would help")
    kinds: list[KindOut]
    findings: list[FindingOut]


class DismissIn(Input):
    kind: Kind
    ids: list[Annotated[StrictInt, Field(ge=0, lt=2**63)]] | None = Field(
        None, max_length=10_000, description="of findings; null: all of the kind"
    )
    undo: StrictBool = False
