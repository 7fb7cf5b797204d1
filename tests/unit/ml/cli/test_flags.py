"""Test that the flags are those of the originals: their names, their defaults, and what is refused."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest

from ml.cli.flags import add_label_image_flags, add_retrain_flags

# tfp2 scripts/retrain.py, L1170-1326; --image_dir has no useful default there, and is required here.
ORIGINAL = {
    "output_graph": Path("/tmp/output_graph.pb"),
    "output_labels": Path("/tmp/output_labels.txt"),
    "intermediate_output_graphs_dir": Path("/tmp/intermediate_graph/"),
    "intermediate_store_frequency": 0,
    "summaries_dir": Path("/tmp/retrain_logs"),
    "how_many_training_steps": 4000,
    "learning_rate": 0.01,
    "testing_percentage": 10,
    "validation_percentage": 10,
    "eval_step_interval": 10,
    "train_batch_size": 100,
    "test_batch_size": -1,
    "validation_batch_size": 100,
    "print_misclassified_test_images": False,
    "bottleneck_dir": Path("/tmp/bottleneck"),
    "final_tensor_name": "final_result",
    "flip_left_right": False,
    "random_crop": 0,
    "random_scale": 0,
    "random_brightness": 0,
    "architecture": "inception_v3",
    # Those that the version of TensorFlow Hub had beside them; its --tfhub_module had an address as its default.
    "saved_model_dir": None,
    "checkpoint_path": Path("/tmp/_retrain_checkpoint"),
    "logging_verbosity": "INFO",
    "tfhub_module": "",
}


def parse(*arguments: str) -> dict[str, Any]:
    parser = ArgumentParser(allow_abbrev=False)
    add_retrain_flags(parser)
    return vars(parser.parse_args(["--image_dir=photos", *arguments]))


def parse_label_image(*arguments: str) -> dict[str, Any]:
    parser = ArgumentParser(allow_abbrev=False)
    add_label_image_flags(parser)
    return vars(parser.parse_args(arguments))


@pytest.mark.parametrize("name", ORIGINAL)
def test_defaults_of_retrain(name: str) -> None:
    assert parse()[name] == ORIGINAL[name]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("--how_many_training_steps=500", 500),
        ("--learning_rate=0.5", 0.5),
        ("--architecture=mobilenet_0.50_224", "mobilenet_0.50_224"),
        ("--test_batch_size=20", 20),
        ("--validation_batch_size=-1", -1),
        ("--saved_model_dir=out", Path("out")),
        ("--final_tensor_name=answer", "answer"),
        ("--random_crop=10", 10),
        ("--random_scale=100", 100),
        ("--random_brightness=0", 0),
        ("--augmented_copies=16", 16),
    ],
)
def test_given_values(given: str, expected: object) -> None:
    assert parse(given)[given.removeprefix("--").partition("=")[0]] == expected


def test_mirroring_is_asked_for_by_its_name_alone() -> None:
    assert parse("--flip_left_right")["flip_left_right"] is True
    assert parse()["augmented_copies"] == 4


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--how_many_training_steps=0", "not between 1 and"),
        ("--how_many_training_steps=many", "not a whole number"),
        ("--learning_rate=nan", "not between"),
        ("--learning_rate=fast", "not a number"),
        ("--testing_percentage=46", "not between 1 and 45"),
        ("--test_batch_size=0", "not between"),
        ("--architecture=mobilenet_9", "Choose one of: efficientnet_lite0"),
        ("--architecture=mobilenet_0.50_224_quantized", "Retrain mobilenet_0.50_224 and export it in 8 bits"),
        ("--assert_accuracy_at_least=90", "not between 0 and 1"),
        ("--final_tensor_name=the answer", "cannot name a tensor"),
        ("--random_crop=101", "not between 0 and 100"),
        ("--random_scale=-5", "not between 0 and 100"),
        ("--random_brightness=1.5", "not a whole number"),
        ("--augmented_copies=0", "not between 1 and 16"),
        ("--flip_left_right=yes", "ignored explicit argument"),
        ("--how_many_steps=5", "unrecognized arguments"),
        ("--how_many=5", "unrecognized arguments"),  # no guessing at what was meant
    ],
)
def test_refused_with_a_sentence(given: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(given)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_defaults_of_label_image() -> None:
    found = parse_label_image("--image=a.jpg")
    assert found["graph"] == Path("tf_files/retrained_graph.pb")
    assert (found["input_mean"], found["input_std"]) == (128, 128)
    assert (found["input_layer"], found["output_layer"]) == ("input", "final_result")


def test_mean_of_nought_is_nought() -> None:
    assert parse_label_image("--image=a.jpg", "--input_mean=0", "--input_std=255")["input_mean"] == 0.0


def test_several_images() -> None:
    found = parse_label_image("--image=a.jpg", "--image", "b.jpg", "c.jpg", "d.jpg")
    assert [*found["image"], *found["images"]] == [Path(f"{name}.jpg") for name in "abcd"]
