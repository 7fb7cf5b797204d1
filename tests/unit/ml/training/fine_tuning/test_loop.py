"""Test real fine-tuning on the tiny backbone: it learns, stops, resumes, and returns the best weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.backbones.backbone import Backbone
from ml.backbones.registry import get_backbone
from ml.backbones.spec import CONVERTED, write_backbone
from ml.datasets.splits import TEST, TRAINING
from ml.engines.litert import LiteRTEngine
from ml.exports import keras_model
from ml.exports.parts import Parts
from ml.images.decoding import load_picture
from ml.settings import MLSettings
from ml.training.config import TrainConfig
from ml.training.fine_tuning import PATIENCE, TuningFailed
from ml.training.fine_tuning.freezing import freeze_tuned
from ml.training.fine_tuning.loop import Tuned, balanced_weights, fine_tune
from ml.training.head import Head, TrainingDiverged
from ml.training.stopping import StopTraining
from tests.textures import SLOPES
from tests.unit.ml.training.fine_tuning.conftest import CONFIG, EACH, Recorder, Task

pytestmark = pytest.mark.slow


def run(backbone: Backbone, task: Task, config: TrainConfig = CONFIG, **options: object) -> tuple[Tuned, Recorder]:
    watch = options.pop("watch", None) or Recorder()
    assert isinstance(watch, Recorder)
    checkpoint = options.pop("checkpoint", None)
    assert checkpoint is None or isinstance(checkpoint, bytes)
    head = options.pop("head", task.head)
    assert isinstance(head, Head)
    return fine_tune(backbone, head, task.dataset, config, read=task.read, watch=watch, checkpoint=checkpoint), watch


def interrupted(backbone: Backbone, task: Task, config: TrainConfig = CONFIG, **when: int) -> Recorder:
    watch = Recorder(**when)
    with pytest.raises(InterruptedError):
        run(backbone, task, config, watch=watch)
    return watch


@pytest.fixture(scope="module")
def tuned(backbone: Backbone, slopes: Task) -> tuple[Tuned, Recorder]:
    return run(backbone, slopes)


def test_backbone_learns_what_its_features_did_not_show(
    tuned: tuple[Tuned, Recorder], backbone: Backbone, slopes: Task, tmp_path: Path
) -> None:
    """Check the answers of LiteRT on pictures that were not used to choose anything."""
    found, _ = tuned
    assert found.helped
    before, best = found.points[0], found.points[found.best_epoch]
    assert best["validation_accuracy"] > before["validation_accuracy"] + 0.15
    pictures = np.stack([load_picture(slopes.read(sha256), 32) for sha256 in slopes.dataset.sha256s(TEST)])
    opened = freeze_tuned(found.network, backbone, pictures[:4], tmp_path)
    (tmp_path / "tuned.tflite").write_bytes(opened.files[CONVERTED])
    answers = found.head.probabilities(LiteRTEngine(tmp_path / "tuned.tflite").embed(pictures))
    assert np.mean(answers.argmax(axis=1) == slopes.dataset.labels(TEST)) >= 0.85
    assert (opened.spec.title, opened.spec.source) == ("Testing (tiny, fixed), fine-tuned", "testing")
    assert opened.spec.features == backbone.features


def test_tuned_backbone_is_no_keras_model(
    tuned: tuple[Tuned, Recorder],
    backbone: Backbone,
    slopes: Task,
    tmp_path: Path,
) -> None:
    settings = MLSettings(tmp_path, tmp_path)
    pictures = np.stack([load_picture(slopes.read(sha256), 32) for sha256 in slopes.dataset.sha256s(TEST)[:2]])
    opened = freeze_tuned(tuned[0].network, backbone, pictures, tmp_path)
    write_backbone(opened.spec, opened.files, settings)
    parts = Parts("Slopes", 1, get_backbone(opened.spec.name, settings), tuned[0].head, list(SLOPES))
    with pytest.raises(SystemExit, match="is not a Keras model"):
        keras_model.build(parts, tmp_path)
    probabilities = np.asarray(parts.build_classifier()(pictures.astype(np.float32)))
    features = np.asarray(tuned[0].network(pictures.astype(np.float32)))
    np.testing.assert_allclose(probabilities, tuned[0].head.probabilities(features), atol=1e-4)


def test_all_pictures_are_counted_and_none_of_validation(tuned: tuple[Tuned, Recorder]) -> None:
    found, watch = tuned
    each = 2 * EACH[TRAINING]
    assert watch.total == CONFIG.fine_tuning_epochs * each
    assert watch.counts == sorted(watch.counts)
    assert watch.counts[-1] == (len(found.points) - 1) * each
    assert [point["epoch"] for point in watch.points] == list(range(len(found.points)))
    assert "training_loss" not in watch.points[0]


def test_same_config_gives_the_same_bits(tuned: tuple[Tuned, Recorder], backbone: Backbone, slopes: Task) -> None:
    found, _ = tuned
    again, _ = run(backbone, slopes)
    assert again.points == found.points
    assert same_weights(again, found)
    other, _ = run(backbone, slopes, CONFIG.model_copy(update={"seed": 1}))
    assert other.points[1] != found.points[1]


def same_weights(one: Tuned, two: Tuned) -> bool:
    pairs = zip(one.network.get_weights(), two.network.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs) and np.array_equal(one.head.weights, two.head.weights)


@pytest.mark.parametrize("epochs", [1, 4])
def test_checkpoint_goes_on_to_the_same_bits(
    epochs: int, tuned: tuple[Tuned, Recorder], backbone: Backbone, slopes: Task
) -> None:
    found, _ = tuned
    killed = interrupted(backbone, slopes, epochs=epochs)
    resumed, watch = run(backbone, slopes, checkpoint=killed.checkpoint)
    assert watch.total == (CONFIG.fine_tuning_epochs - epochs) * 2 * EACH[TRAINING]
    assert resumed.points == found.points
    assert same_weights(resumed, found)


def test_last_blocks_leave_the_first_as_they_are(backbone: Backbone, slopes: Task) -> None:
    config = CONFIG.model_copy(update={"fine_tuning": "last"})
    found, _ = run(backbone, slopes, config)
    before, after = backbone.build_network().get_weights(), found.network.get_weights()
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [True, False]


def test_what_only_gets_worse_stops_and_leaves_all_as_it_was(backbone: Backbone, slopes: Task) -> None:
    found, watch = run(backbone, slopes, CONFIG.model_copy(update={"fine_tuning_rate": 0.5, "fine_tuning_epochs": 50}))
    assert not found.helped
    assert len(found.points) == 1 + PATIENCE
    assert watch.counts[-1] == PATIENCE * 2 * EACH[TRAINING]
    for before, after in zip(backbone.build_network().get_weights(), found.network.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(found.head.weights, slopes.head.weights)


class Impatient(Recorder):
    """Somebody who wants what there is, in the middle of the fourth epoch."""

    def shown(self, pictures: int) -> None:
        super().shown(pictures)
        if len(self.points) == 4 and pictures > 3.5 * 2 * EACH[TRAINING]:
            raise StopTraining


def test_stopped_it_keeps_the_best_epoch_so_far(
    tuned: tuple[Tuned, Recorder], backbone: Backbone, slopes: Task
) -> None:
    whole, _ = run(backbone, slopes, CONFIG.model_copy(update={"fine_tuning_epochs": 3}))
    stopped, _ = run(backbone, slopes, watch=Impatient())
    assert stopped.points == tuned[0].points[:4] == whole.points
    assert stopped.best_epoch == whole.best_epoch > 0
    assert same_weights(stopped, whole)


def test_it_stops_within_a_batch(backbone: Backbone, slopes: Task) -> None:
    watch = interrupted(backbone, slopes, batches=7)  # four batches of validation, and three of training
    assert watch.counts[-1] == 3 * 16
    assert watch.checkpoint is None


def test_views_are_shown_as_well(backbone: Backbone, slopes: Task) -> None:
    """Show mirrored copies, in which each picture belongs to the other class, so that nothing can be learned."""
    config = CONFIG.model_copy(update={"flip_left_right": True, "fine_tuning_epochs": 3})
    mirrored, _ = run(backbone, slopes, config)
    plain, _ = run(backbone, slopes, CONFIG.model_copy(update={"fine_tuning_epochs": 3}))
    assert mirrored.points[3]["training_loss"] > plain.points[3]["training_loss"] + 0.1


def test_numbers_out_of_bounds_are_a_sentence(backbone: Backbone, slopes: Task) -> None:
    broken = replace(slopes.head, weights=slopes.head.weights * np.float32(np.nan))
    with pytest.raises(TrainingDiverged, match="smaller fine-tuning learning rate"):
        run(backbone, slopes, head=broken)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "other network"])
def test_checkpoint_that_is_none_begins_anew(
    damage: str, tuned: tuple[Tuned, Recorder], backbone: Backbone, slopes: Task
) -> None:
    config = CONFIG.model_copy(update={"fine_tuning": "last", "fine_tuning_epochs": 1})
    whole = interrupted(backbone, slopes, CONFIG.model_copy(update={"fine_tuning_epochs": 1}), epochs=1).checkpoint
    assert whole is not None
    data = {"cut": whole[: len(whole) // 2], "text": b"no archive", "empty": b"", "other network": whole}[damage]
    found, watch = run(backbone, slopes, config, checkpoint=data)
    assert watch.total == 2 * EACH[TRAINING]
    assert found.points == run(backbone, slopes, config)[0].points


def test_classes_weigh_alike() -> None:
    labels = np.array([0, 0, 0, 2])  # nothing of the class 1
    weights = balanced_weights(labels, 3)
    assert weights[:3].sum() == pytest.approx(weights[3])
    assert weights.mean() == pytest.approx(1)


def test_network_that_litert_answers_otherwise_is_refused(
    tuned: tuple[Tuned, Recorder], backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiteRTEngine, "embed", lambda self, pictures: np.full((len(pictures), 48), 1e6, np.float32))
    with pytest.raises(TuningFailed, match="gives other numbers"):
        freeze_tuned(tuned[0].network, backbone, np.zeros((2, 32, 32, 3), np.uint8), tmp_path)
    assert list(tmp_path.iterdir()) == []
