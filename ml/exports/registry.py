"""Register the formats that a model version can be exported to.

A format is one entry here, code that builds it, and two files. The code is a module, or an object in one, with a
function that is called in a process of its own:

    build(parts: Parts, folder: Path) -> None    writes the format's files

The files are in `templates/`, in a folder with the module's name: README.md, a `string.Template`, and model.py, which
runs the model without our code. It is copied beside the program that all formats share (`templates/shared/`), and

    load(folder: Path) -> function    returns a function that answers from these files only: the bytes of a picture's
                                      file and its pixels, uint8 (S, S, 3), to probabilities (C,) and whether it is
                                      none of these
"""

import importlib.util
import pkgutil
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bar:
    """The requirements on a file when its answers to all test pictures are compared with the site's.

    Attributes:
        agreement: the least share of pictures with the same predicted class.
        mean_difference: the largest mean difference between probabilities, over all classes and pictures.
        accuracy_loss: how much lower its accuracy may be, where a single picture is always tolerated.
        refusal_agreement: the least share of pictures that both take for none of the classes, or neither; likewise.
    """

    agreement: float = 0.0
    mean_difference: float = 1.0
    accuracy_loss: float = 1.0
    refusal_agreement: float = 0.995


# Fewer bits change the probabilities; what counts is whether the answers are right as often.
SAME_NUMBERS, FEWER_BITS = Bar(agreement=0.995, mean_difference=0.02), Bar(accuracy_loss=0.015, refusal_agreement=0.95)


@dataclass(frozen=True)
class ExportFormat:
    """A format that a model version can be exported to.

    Attributes:
        name: identifies it in addresses and file names.
        title: its name for people.
        purpose: one line for people that says what it is good for.
        where: its code, as for `pkgutil.resolve_name`.
        bar: what its files must reach to be certified.
        extra: the extra that installs its packages (`make run EXTRAS=`), if it needs one.
        needs: the modules of that extra.
        needs_layers: whether it needs Keras layers, which networks that somebody added do not have.
        calibrates: whether it needs training pictures to find the range of its numbers.
    """

    name: str
    title: str
    purpose: str
    where: str
    bar: Bar = SAME_NUMBERS
    extra: str = ""
    needs: tuple[str, ...] = ()
    needs_layers: bool = False
    calibrates: bool = False

    @property
    def unavailable_reason(self) -> str:
        """Return a sentence that says why the format is not available on this site, or an empty string."""
        if all(importlib.util.find_spec(module) for module in self.needs):
            return ""
        return (
            f"This site does not have the optional packages for {self.title}. "
            f"Its administrator can install them with “make run EXTRAS={self.extra}”."
        )

    def code(self) -> Any:
        """Return the code that builds it. Importing it needs no TensorFlow; building may."""
        return pkgutil.resolve_name(self.where)


FORMATS: dict[str, ExportFormat] = {
    known.name: known
    for known in (
        ExportFormat(
            name="tflite",
            title="TensorFlow Lite",
            purpose="One small file for phones, single-board computers and programs in Python, Java, Swift or C++.",
            where="ml.exports.tflite:FLOAT32",
        ),
        ExportFormat(
            name="tflite_float16",
            title="TensorFlow Lite, 16 bits",
            purpose="Half the size, with the same predictions.",
            where="ml.exports.tflite:FLOAT16",
        ),
        ExportFormat(
            name="tflite_int8",
            title="TensorFlow Lite, 8 bits",
            purpose="A quarter of the size, for small processors; calibrated on your training pictures.",
            where="ml.exports.tflite:INT8",
            bar=FEWER_BITS,
            calibrates=True,
        ),
        ExportFormat(
            name="saved_model",
            title="SavedModel",
            purpose="For TensorFlow Serving and Python: takes picture files, returns classes and scores.",
            where="ml.exports.saved_model",
        ),
        ExportFormat(
            name="keras",
            title="Keras",
            purpose="A model.keras file, to train further or build upon in Python.",
            where="ml.exports.keras_model",
            needs_layers=True,
        ),
        ExportFormat(
            name="frozen_graph",
            title="Frozen graph",
            purpose="retrained_graph.pb and retrained_labels.txt, as TensorFlow for Poets wrote them.",
            where="ml.exports.frozen_graph",
        ),
        ExportFormat(
            name="tf_hub",
            title="TensorFlow Hub",
            purpose="For hub.load and hub.KerasLayer; this site also serves it at its own address.",
            where="ml.exports.tf_hub",
        ),
        ExportFormat(
            name="onnx",
            title="ONNX",
            purpose="For ONNX Runtime and others, in C#, Java, JavaScript, C++ or Python.",
            where="ml.exports.onnx_model",
            extra="onnx",
            needs=("tf2onnx", "onnxruntime"),
        ),
    )
}
