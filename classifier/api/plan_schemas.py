"""What the API tells of the plan of a layout."""

from ninja import Schema
from pydantic import Field


class LeftOutOut(Schema):
    reason: str
    count: int
    examples: list[str]


class OptionOut(Schema):
    layout: str = Field(description="what to answer")
    title: str
    classes: dict[str, int] = Field(description="the first classes that it gives")


class QuestionOut(Schema):
    key: str = Field(description="layout, alike, splits or encoding")
    question: str
    options: list[OptionOut]


class PlanOut(Schema):
    layout: str = Field(description="the reading that is suggested")
    classes: dict[str, int]
    splits: dict[str, int] = Field(description="pictures that are given each split")
    unlabelled: int
    left_out: list[LeftOutOut]
    warnings: list[str]
    questions: list[QuestionOut]
