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
    bias: float = Field(description="what the class gets whatever the picture shows; logit = mean of the heat + bias")
    heat: list[list[float]] = Field(
        description="what each place of the picture adds to the logit: rows from top to bottom, each left to right, "
        "of the upright picture as the network sees it"
    )
    similar: list[SimilarOut] = Field(description="the pictures the version was trained on that look most like it")
