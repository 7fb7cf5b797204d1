"""The shape of why a version answers as it does."""

from ninja import Field, Schema


class SimilarOut(Schema):
    id: int = Field(description="of the sample")
    sha256: str
    class_name: str = Field(alias="class", description="that the version was taught it as")
    file: str
    likeness: float = Field(description="of the embeddings, the cosine of the angle between them, -1 to 1")


class ExplainOut(Schema):
    model_version: int
    class_name: str = Field(alias="class")
    probability: float
    logit: float = Field(description="of the class, less the mean of all classes’")
    heat: list[list[float]] = Field(
        description="what each place says about the class: its logit if the whole picture looked like it. Their "
        "mean is the logit. Rows from top to bottom, each left to right, of the upright picture as the network sees it"
    )
    bias: float = Field(description="the part of the logit, and of the heat of each place, that no picture changes")
    similar: list[SimilarOut] = Field(description="the pictures the version was trained on that look most like it")
