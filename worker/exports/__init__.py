"""What a model version can be exported to. A format is one entry here and one module that builds and runs it.

A module has two functions, both called in processes of their own:

    build(parts: Parts, folder: Path) -> None       writes the format's files
    load(folder: Path) -> Callable                   gives a function from pictures, uint8 (N, S, S, 3), to
                                                     probabilities, float32 (N, C), that uses these files alone
"""

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ExportFormat:
    name: str  # in addresses and file names
    title: str
    purpose: str  # one line for people
    module: str
    agreement: float  # the least share of test pictures with the same answer as the site's
    mean_difference: float  # the largest mean |Δp| over all classes and test pictures

    def code(self) -> Any:
        """The module. It may import TensorFlow when it builds."""
        return importlib.import_module(self.module)


FORMATS: dict[str, ExportFormat] = {
    known.name: known
    for known in (
        ExportFormat(
            name="tflite",
            title="TensorFlow Lite",
            purpose="One small file for phones, single-board computers and programs in Python, Java, Swift or C++.",
            module="worker.exports.tflite",
            agreement=0.995,
            mean_difference=0.02,
        ),
        ExportFormat(
            name="frozen_graph",
            title="Frozen graph",
            purpose="retrained_graph.pb and retrained_labels.txt, as TensorFlow for Poets made them.",
            module="worker.exports.frozen_graph",
            agreement=0.995,
            mean_difference=0.02,
        ),
    )
}
