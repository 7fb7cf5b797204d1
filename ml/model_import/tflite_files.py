"""Inspect the input and output of .tflite files, by asking LiteRT itself, without TensorFlow."""

import json
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.engines.tflite_metadata import read_metadata
from ml.errors import ImportRefused, first_line
from ml.model_import import tflite_head
from ml.model_import.ranges import INSIDE, METADATA, TEACHABLE, WHOLE_NUMBERS, scaling_of

OWN_METADATA = "metadata.json"
EDGE_TPU = (
    "This file was compiled for the Edge TPU, which only that chip can run. Send the file it was compiled from: in "
    "Teachable Machine, the TensorFlow Lite export “Floating point” or “Quantized”."
)


@dataclass(frozen=True)
class Interface:
    """The input size in pixels, the number of outputs, and the scaling of a .tflite file."""

    input_size: int
    outputs: int
    scaling: tuple[float, float] | None  # it takes pixel * scale + offset; None if the file does not say
    reason: str = ""  # how that was found out, one of REASONS of `ranges`


def inspect(path: Path, *, scaling: bool = True) -> Interface:
    """Return the interface of a .tflite file, with its scaling unless that is not wanted.

    Raise `ImportRefused` if it does not map pictures to rows of numbers.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        sources, targets = interpreter.get_input_details(), interpreter.get_output_details()
        if len(sources) != 1 or len(targets) < 1:
            raise ImportRefused(f"It has {len(sources)} inputs; it must have exactly one, for pictures.")
        _check_input(sources[0])
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        if "edgetpu" in str(error).lower():
            raise ImportRefused(EDGE_TPU) from None
        raise ImportRefused(f"LiteRT cannot use this file: {first_line(error)}") from None
    shape = [int(size) for size in interpreter.get_output_details()[0]["shape"]]
    if len(shape) != 2 or shape[1] < 1:
        raise ImportRefused(f"Its output has the shape {shape}, not one row for each picture.")
    return Interface(int(sources[0]["shape"][1]), shape[1], *(_scaling(path, sources[0]) if scaling else (None, "")))


def _check_input(source: dict[str, Any]) -> None:
    shape = [int(size) for size in source["shape"]]
    if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2]:
        raise ImportRefused(
            f"Its input has the shape {shape}; it must take square pictures with three colour channels."
        )
    if source["dtype"] not in (np.float32, np.uint8, np.int8):
        raise ImportRefused(f"Its input is of the type {np.dtype(source['dtype']).name}, which cannot hold pictures.")


def _scaling(path: Path, source: dict[str, Any]) -> tuple[tuple[float, float] | None, str]:
    """Return the scaling and how it was found out, or (None, "")."""
    if source["dtype"] != np.float32:
        scale, zero = source["quantization"]
        # Bytes are passed unchanged, signed ones shifted by half their range; this is the number they stand for.
        shift = 128 if source["dtype"] == np.int8 else 0
        return ((scale, -scale * (zero + shift)) if scale else (1.0, 0.0)), WHOLE_NUMBERS
    if told := _scaling_told(path) or _scaling_of_metadata(path):
        return told, METADATA
    if tflite_head.is_teachable(path):
        return scaling_of("-1..1"), TEACHABLE
    known = tflite_head.told_by_head(path)
    return (scaling_of(known), INSIDE) if known else (None, "")


def _scaling_of_metadata(path: Path) -> tuple[float, float] | None:
    """Return the scaling from TFLite Metadata. Raise `ImportRefused` if each colour has one of its own."""
    metadata = read_metadata(path)
    if not metadata.mean or not metadata.std:
        return None
    mean, std = metadata.mean[0], metadata.std[0]
    if not all(map(math.isfinite, (mean, std))) or std <= 0:
        return None
    if any(abs(one - mean) > 1e-3 for one in metadata.mean) or any(abs(one - std) > 1e-3 for one in metadata.std):
        raise ImportRefused(
            "Its metadata give each colour a mean and a deviation of its own, which cannot be done here. "
            "Choose the range that is nearest in the expert settings."
        )
    return 1 / std, -mean / std


def _scaling_told(path: Path) -> tuple[float, float] | None:
    """Return the scaling from the metadata that our own files contain, in the zip at their end."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(OWN_METADATA).file_size > 2**20:
                return None
            low, high = json.loads(archive.read(OWN_METADATA))["input"]["range"]
            return (float(high) - float(low)) / 255, float(low)
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        OSError,
        RuntimeError,
        NotImplementedError,
        zlib.error,
    ):
        return None
