"""Test the event files that a training writes, by reading them with TensorFlow."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.backbones.registry import get_backbone
from ml.datasets.dataset import Dataset
from ml.datasets.splits import SPLITS, TEST, TRAINING, VALIDATION
from ml.training.config import TrainConfig
from ml.training.event_files import EventFile, TrainingEventFiles
from ml.training.head import Head, LabelledFeatures, TrainingDiverged
from ml.training.pipeline import train
from ml.training.recipes.registry import train_head
from poetsweb.folders import ML

TESTING = get_backbone("testing", ML)
STATISTICS = {"mean", "stddev_1", "max", "min", "histogram"}
RNG = np.random.default_rng(3)
LABELS = np.arange(60) % 3
FEATURES = (RNG.standard_normal((60, 4)) + 3 * np.eye(3, 4)[LABELS]).astype(np.float32)
ROWS = [(f"{row:064x}", int(LABELS[row]), (TRAINING, TRAINING, VALIDATION, TEST)[row // 3 % 4]) for row in range(60)]
DATASET = Dataset("d" * 64, [(1, "red"), (2, "green"), (3, "blue")], ROWS)
BY_SPLIT = {split: FEATURES[[row for row in range(60) if ROWS[row][2] == split]] for split in SPLITS}
STEERED_BY = {"auto": "penalty", "sgd": "learning_rate"}


def configured(recipe: str, **more: Any) -> TrainConfig:
    return TrainConfig(backbone="testing", recipe=recipe, **more)


def read_events(folder: Path) -> list[Any]:
    import tensorflow as tf

    (path,) = folder.iterdir()
    return [event for event in tf.compat.v1.train.summary_iterator(str(path)) if event.HasField("summary")]


def scalars(event: Any) -> dict[str, float]:
    return {value.tag: value.simple_value for value in event.summary.value if value.HasField("simple_value")}


@pytest.mark.parametrize("recipe", STEERED_BY)
def test_training_writes_runs_as_the_original_named_them(recipe: str, tmp_path: Path) -> None:
    summaries = TrainingEventFiles(tmp_path)
    points: list[dict[str, float]] = []
    report = lambda stage, fraction, **point: points.append(point) if point else None  # noqa: E731
    trained = train(DATASET, BY_SPLIT, configured(recipe), TESTING, report, summaries)
    summaries.close()
    assert {path.name for path in tmp_path.iterdir()} == {"train", "validation", "test"}
    for run in ("train", "validation"):
        events = read_events(tmp_path / run)
        assert [event.step for event in events] == sorted({event.step for event in events})
        assert {value.tag for value in events[0].summary.value} == {
            "accuracy_1",
            "cross_entropy_1",
            STEERED_BY[recipe],
            *(f"final_training_ops/{part}/summaries/{name}" for part in ("weights", "biases") for name in STATISTICS),
        }
        assert events[-1].step == points[-1]["step"]
    assert scalars(read_events(tmp_path / "validation")[-1])["accuracy_1"] == pytest.approx(
        points[-1]["validation_accuracy"], abs=1e-4
    )
    (tested,) = read_events(tmp_path / "test")
    assert scalars(tested) == {"accuracy_1": pytest.approx(trained.metrics["test_accuracy"])}


def test_nothing_to_test_with_is_no_run(tmp_path: Path) -> None:
    summaries = TrainingEventFiles(tmp_path)
    summaries.show_test(None)
    summaries.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("recipe", STEERED_BY)
def test_last_point_describes_the_head_that_was_chosen(recipe: str, tmp_path: Path) -> None:
    summaries = TrainingEventFiles(tmp_path)
    training, validation = LabelledFeatures(FEATURES[:40], LABELS[:40]), LabelledFeatures(FEATURES[40:], LABELS[40:])
    look = summaries.watch(training, validation)
    head = train_head(training, validation, 3, configured(recipe), lambda *_, **__: None, look).head
    summaries.close()
    last = scalars(read_events(tmp_path / "train")[-1])
    assert last["final_training_ops/weights/summaries/max"] == pytest.approx(head.weights.max(), rel=1e-5)
    assert last["final_training_ops/biases/summaries/stddev_1"] == pytest.approx(head.bias.std(), rel=1e-4)


def test_summaries_change_nothing_of_what_is_trained(tmp_path: Path) -> None:
    for recipe in STEERED_BY:
        summaries = TrainingEventFiles(tmp_path / recipe)
        with_them = train(DATASET, BY_SPLIT, configured(recipe), TESTING, lambda *_, **__: None, summaries)
        summaries.close()
        assert with_them == train(DATASET, BY_SPLIT, configured(recipe), TESTING, lambda *_, **__: None)


def test_training_out_of_bounds_leaves_what_it_wrote(tmp_path: Path) -> None:
    summaries = TrainingEventFiles(tmp_path)
    wild = configured("sgd", learning_rate=100.0)
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged):
        train(
            DATASET,
            {split: rows * np.float32(1e30) for split, rows in BY_SPLIT.items()},
            wild,
            TESTING,
            lambda *_, **__: None,
            summaries,
        )
    summaries.close()
    (last,) = read_events(tmp_path / "train")[-1:]
    assert np.isnan(scalars(last)["cross_entropy_1"])
    assert "final_training_ops/weights/summaries/histogram" not in {value.tag for value in last.summary.value}


def test_points_of_a_long_training_are_thinned(tmp_path: Path) -> None:
    summaries = TrainingEventFiles(tmp_path)
    head = Head(np.eye(4, 3, dtype=np.float32), np.zeros(3, np.float32))
    look = summaries.watch(LabelledFeatures(FEATURES, LABELS), LabelledFeatures(FEATURES, LABELS))
    for step in range(1, 10_001):
        look(step, head, is_last=step == 10_000)
    summaries.close()
    steps = [event.step for event in read_events(tmp_path / "train")]
    assert steps[:20] == list(range(1, 21))
    assert steps[-1] == 10_000
    assert len(steps) < 400
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 2**20


@pytest.mark.parametrize("recipe", STEERED_BY)
def test_training_goes_on_without_a_folder_to_write_to(recipe: str, tmp_path: Path) -> None:
    (tmp_path / "train").write_text("a file where the folder should be")
    summaries = TrainingEventFiles(tmp_path)
    trained = train(DATASET, BY_SPLIT, configured(recipe), TESTING, lambda *_, **__: None, summaries)
    summaries.close()
    assert isinstance(summaries.error, FileExistsError)
    assert trained == train(DATASET, BY_SPLIT, configured(recipe), TESTING, lambda *_, **__: None)
    assert {path.name for path in tmp_path.iterdir()} == {"train"}


def test_file_that_cannot_be_closed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: EventFile) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EventFile, "close", fail)
    summaries = TrainingEventFiles(tmp_path)
    summaries.show_test(0.5)
    assert summaries.error is None
    summaries.close()
    assert isinstance(summaries.error, OSError)
