"""Define the flags of the original scripts, with their names, defaults and allowed values."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from ml.backbones.registry import BACKBONES
from ml.training.config import TrainConfig
from ml.training.setting import bounds_of, extra_of

VERBOSITIES = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a parser for whole numbers from `low` to `high`. It raises `ArgumentTypeError`, as all parsers here do."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is not a whole number.") from None
        if not low <= number <= high:
            raise ArgumentTypeError(f"{number} is not between {low} and {high}.")
        return number

    return parse


def real(low: float, high: float) -> Callable[[str], float]:
    """Return a parser for numbers from `low` to `high`."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is not a number.") from None
        if not low <= number <= high:  # false for NaN, too
            raise ArgumentTypeError(f"{text} is not between {low:g} and {high:g}.")
        return number

    return parse


def architecture(text: str) -> str:
    """Parse the name of a backbone."""
    if text in BACKBONES:
        return text
    if text.endswith("_quantized"):
        raise ArgumentTypeError(
            f"There is no {text}. Retrain {text.removesuffix('_quantized')} and export it in 8 bits."
        )
    names = ", ".join(name for name, backbone in BACKBONES.items() if not backbone.hidden)
    raise ArgumentTypeError(f"There is no architecture {text!r}. Choose one of: {names}.")


def tensor_name(text: str) -> str:
    """Parse a name that TensorFlow allows for an operation."""
    if not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*", text):
        raise ArgumentTypeError(f"{text!r} cannot name a tensor. Use letters, digits and _ . / -")
    return text


def batch(text: str) -> int:
    """Parse a number of pictures, in which -1 means all."""
    return -1 if text.strip() == "-1" else whole(1, 10**9)(text)


def add_retrain_flags(parser: ArgumentParser) -> None:
    """Add the flags of `retrain`."""
    add = parser.add_argument
    add("--image_dir", type=Path, required=True, help="a folder whose sub-folders are the classes")
    add("--output_graph", type=Path, default=Path("/tmp/output_graph.pb"), help="the trained graph")  # noqa: S108
    add("--output_labels", type=Path, default=Path("/tmp/output_labels.txt"), help="its labels, one per line")  # noqa: S108
    add("--saved_model_dir", type=Path, help="also write a SavedModel to this folder, which must be new or empty")
    add("--intermediate_output_graphs_dir", type=Path, default=Path("/tmp/intermediate_graph/"))  # noqa: S108
    add(
        "--intermediate_store_frequency",
        type=whole(0, 10**9),
        default=0,
        help="steps between two intermediate graphs; 0: none",
    )
    add("--summaries_dir", type=Path, default=Path("/tmp/retrain_logs"), help="events for TensorBoard")  # noqa: S108
    add("--eval_step_interval", type=whole(1, 100_000), default=10, help="steps between two lines of results")
    add("--test_batch_size", type=batch, default=-1, help="pictures to test on at the end; -1: all")
    add("--validation_batch_size", type=batch, default=100, help="pictures to validate on; -1: all")
    add("--print_misclassified_test_images", action="store_true")
    add("--model_dir", type=Path, help="where pretrained weights are stored; by default the site's own folder")
    add("--bottleneck_dir", type=Path, default=Path("/tmp/bottleneck"), help="where features are stored")  # noqa: S108
    add("--final_tensor_name", type=tensor_name, default="final_result")
    add("--architecture", type=architecture, default="inception_v3", metavar="NAME", help="the pretrained network")
    add(
        "--assert_accuracy_at_least",
        type=real(0, 1),
        metavar="SHARE",
        help="write nothing if the test accuracy is below it",
    )
    add_setting_flags(parser)
    add(
        "--tfhub_module",
        default="",
        metavar="HANDLE",
        help="a TF Hub address, or a local SavedModel, .tflite or .pb file, instead of --architecture",
    )
    add("--checkpoint_path", type=Path, default=Path("/tmp/_retrain_checkpoint"), help="the last layer, as .npz")  # noqa: S108
    add(
        "--logging_verbosity",
        choices=VERBOSITIES,
        default="INFO",
        help="WARN: no lines for steps; ERROR and FATAL: no warnings either",
    )
    add("--project", default="", metavar="SLUG", help="add the photos to this project of the site and train there")


def list_setting_flags() -> dict[str, str]:
    """Return setting -> flag for each training setting that has a flag."""
    flags = {name: extra_of(field)["flag"] for name, field in TrainConfig.model_fields.items()}
    return {name: flag for name, flag in flags.items() if flag}


def add_setting_flags(parser: ArgumentParser) -> None:
    """Add the flags of the training settings, each with its bounds, its words and the original's default."""
    for name, flag in list_setting_flags().items():
        field = TrainConfig.model_fields[name]
        if field.annotation is bool:
            parser.add_argument(f"--{flag}", action="store_true", help=_escape(field))
        else:
            default = extra_of(field)["flag_default"]
            parser.add_argument(f"--{flag}", type=_parser_of(field), default=default, help=_escape(field))


def _parser_of(field: FieldInfo) -> Callable[[str], Any]:
    bounds = bounds_of(field)
    if field.annotation is int:
        return whole(int(bounds["ge"]), int(bounds["le"]))
    return real(max(bounds["gt"], 1e-9), bounds["le"])


def _escape(field: FieldInfo) -> str:
    """Return a setting's help for argparse, in which a per cent sign has a meaning."""
    return str(field.description).replace("%", "%%")


def add_label_image_flags(parser: ArgumentParser) -> None:
    """Add the flags of `label_image`."""
    add = parser.add_argument
    add("images", nargs="*", type=Path, metavar="IMAGE", help="pictures, in addition to those of --image")
    add("--image", action="append", type=Path, default=[], help="a picture; can be given several times")
    add_graph_flags(parser)
    add("--json", action="store_true", help="print one line of JSON per picture")


def add_evaluate_flags(parser: ArgumentParser) -> None:
    """Add the flags of `evaluate`."""
    add = parser.add_argument
    add("named", nargs="?", type=Path, metavar="GRAPH", help="the same as --graph")
    add("--image_dir", type=Path, default=Path("tf_files/flower_photos"), help="the folder that was trained on")
    add("--testing_percentage", type=whole(1, 45), default=10, help="as in the training")
    add("--validation_percentage", type=whole(1, 45), default=10, help="likewise")
    add_graph_flags(parser)
    add("--json", action="store_true", help="print one line of JSON")


def add_graph_flags(parser: ArgumentParser) -> None:
    """Add the flags that say which graph to use and how."""
    add = parser.add_argument
    add(
        "--graph",
        type=Path,
        default=Path("tf_files/retrained_graph.pb"),
        help="a .pb, a .tflite, a SavedModel folder, or an artifact's folder of the site",
    )
    add("--labels", type=Path, help="one per line; by default retrained_labels.txt or labels.txt next to the graph")
    add("--input_height", type=whole(1, 4096), help="by default what the graph says, otherwise 224")
    add("--input_width", type=whole(1, 4096), help="likewise")
    add("--input_mean", type=real(-1e6, 1e6), default=128.0, help="of a .pb")
    add("--input_std", type=real(1e-9, 1e6), default=128.0, help="of a .pb")
    add("--input_layer", default="input", help="of a .pb")
    add("--output_layer", default="final_result", help="of a .pb")
