"""Test the way from pictures made in code to an artifact that classifies others, with the tiny backbone."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.backbones.backbone import Backbone
from ml.backbones.registry import get_backbone
from ml.datasets.dataset import Dataset
from ml.datasets.splits import SPLITS, TEST, TRAINING, SplitSample, assign_splits
from ml.engines.embeddings import embed_pictures
from ml.engines.litert import LiteRTEngine
from ml.images.augmentation import Augmentation
from ml.images.decoding import PREPROCESSING_VERSION, ImageRejected
from ml.serving.batches import extract_features
from ml.training import pipeline
from ml.training.artifacts import Artifact, read_artifact, read_evaluation
from ml.training.config import TrainConfig, parse_config
from ml.training.inference import classify_features
from ml.training.pipeline import Trained, train
from ml.training.rejection import Reason
from ml.training.stopping import StopTraining
from poetsweb.folders import ML
from tests.pictures import make_jpeg

TESTING = get_backbone("testing", ML)
CLASSES = [(5, "red"), (2, "green"), (9, "blue")]
COLOURS = [(190, 60, 60), (60, 170, 60), (60, 60, 190)]
PER_CLASS = 30
CONFIGS = [
    TrainConfig(backbone="testing"),
    TrainConfig(backbone="testing", recipe="sgd", learning_rate=1.0, seed=3),
]


@pytest.fixture(scope="module")
def pictures() -> dict[str, tuple[bytes, int]]:
    """Return sha256 -> (picture, class index)."""
    made = [
        (make_jpeg(seed * 3 + label, colour=colour), label)
        for label, colour in enumerate(COLOURS)
        for seed in range(PER_CLASS)
    ]
    return {hashlib.sha256(data).hexdigest(): (data, label) for data, label in made}


@pytest.fixture(scope="module")
def dataset(pictures: dict[str, tuple[bytes, int]]) -> Dataset:
    splits = assign_splits([SplitSample(sha256, label) for sha256, (_, label) in pictures.items()])
    rows = sorted((sha256, label, splits[sha256]) for sha256, (_, label) in pictures.items())
    return Dataset("d" * 64, CLASSES, rows)


Features = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def features(dataset: Dataset, pictures: dict[str, tuple[bytes, int]], engine: LiteRTEngine) -> Features:
    return {split: embed(dataset.sha256s(split), pictures, engine) for split in SPLITS}


def embed(
    keys: list[str],
    pictures: dict[str, tuple[bytes, int]],
    engine: LiteRTEngine,
    augmentation: Augmentation | None = None,
) -> NDArray[np.float32]:
    batches = embed_pictures(keys, lambda key: pictures[key][0], engine, augmentation=augmentation)
    return np.concatenate([batch for _, batch in batches])


def silent(stage: str, fraction: float, **point: float) -> None:
    """Ignore the report."""


def read(trained: Trained) -> Artifact:
    return read_artifact(trained.digest, trained.files.__getitem__)


@pytest.mark.parametrize("config", CONFIGS, ids=["auto", "sgd"])
def test_train_artifact_classifies_held_out_pictures(
    config: TrainConfig, dataset: Dataset, features: Features, engine: LiteRTEngine
) -> None:
    trained = train(dataset, features, config, TESTING, silent)
    assert trained.metrics["test_accuracy"] == 1.0
    others = [make_jpeg(1000 + number, colour=COLOURS[number % 3]) for number in range(15)]
    for number, answer in enumerate(classify_features(extract_features(others, engine), read(trained))):
        assert not isinstance(answer, ImageRejected)
        assert answer.probabilities.argmax() == number % 3
        assert answer.reason == Reason.NONE


@pytest.mark.parametrize("config", CONFIGS, ids=["auto", "sgd"])
def test_train_again_gives_the_same_files(config: TrainConfig, dataset: Dataset, features: Features) -> None:
    one, two = (train(dataset, features, config, TESTING, silent) for _ in range(2))
    assert (one.digest, one.files) == (two.digest, two.files)


def test_train_manifest_says_what_it_was_made_of(dataset: Dataset, features: Features, backbone: Backbone) -> None:
    trained = train(dataset, features, CONFIGS[0], TESTING, silent)
    artifact = read(trained)
    assert artifact.classes == CLASSES
    assert artifact.manifest["dataset_digest"] == dataset.digest
    assert TrainConfig(**artifact.manifest["config"]) == CONFIGS[0]
    assert artifact.manifest["metrics"] == trained.metrics
    assert artifact.manifest["backbone"] == {
        "name": "testing",
        "digest": backbone.digest,
        "input_size": 32,
        "features": 48,
        "preprocessing_version": PREPROCESSING_VERSION,
    }


def test_train_metrics_are_of_the_test_split_alone(dataset: Dataset, features: Features) -> None:
    """Change every metric, but not the head, by giving test pictures wrong labels."""
    wrong = [(sha256, (label + 1) % 3 if split == TEST else label, split) for sha256, label, split in dataset.rows]
    right = train(dataset, features, CONFIGS[0], TESTING, silent)
    misnamed = train(Dataset(dataset.digest, CLASSES, wrong), features, CONFIGS[0], TESTING, silent)
    np.testing.assert_array_equal(read(right).head.weights, read(misnamed).head.weights)
    assert (right.metrics["test_accuracy"], misnamed.metrics["test_accuracy"]) == (1.0, 0.0)
    tests = len(dataset.sha256s(TEST))
    assert right.metrics["test_n"] == tests == np.sum(right.metrics["confusion"])
    assert right.metrics["confusion"] == (np.eye(3, dtype=int) * tests // 3).tolist()


def test_train_judges_all_pictures_where_those_for_test_are_few(dataset: Dataset, features: Features) -> None:
    crossed = train(dataset, features, CONFIGS[0], TESTING, silent).metrics["cross_validation"]
    assert (crossed["accuracy"], crossed["n"], crossed["groups"], crossed["folds"]) == (1.0, 90, 90, 5)


def test_train_does_not_judge_a_picture_by_others_of_its_group(dataset: Dataset, features: Features) -> None:
    """Put wrong labels on whole groups: heads that had seen one of a group would have learnt them by heart."""
    noise = {row[0]: index % 3 for index, row in enumerate(dataset.rows)}
    frames = [(f"{sha256[:-1]}{copy}", noise[sha256], split) for sha256, _, split in dataset.rows for copy in range(3)]
    groups = {sha256: sha256[:-1] for sha256, _, _ in frames}
    repeated = {split: one.repeat(3, axis=0) for split, one in features.items()}
    metrics = train(Dataset("d" * 64, CLASSES, frames, groups), repeated, CONFIGS[0], TESTING, silent).metrics
    assert (metrics["cross_validation"]["groups"], metrics["cross_validation"]["n"]) == (90, 270)
    assert metrics["cross_validation"]["accuracy"] < 0.6


def test_train_trusts_test_pictures_that_were_given_or_are_many(
    dataset: Dataset, features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = train(dataset, features, CONFIGS[0], TESTING, silent, test_is_given=True)
    assert "cross_validation" not in given.metrics
    monkeypatch.setattr(pipeline, "FEW_GROUPS", 9)
    assert "cross_validation" not in train(dataset, features, CONFIGS[0], TESTING, silent).metrics


def test_train_leaves_out_the_cross_validation_that_nobody_waits_for(dataset: Dataset, features: Features) -> None:
    def impatient(stage: str, fraction: float, **_: float) -> None:
        if stage == "evaluate" and fraction > 0:
            raise StopTraining

    trained = train(dataset, features, CONFIGS[1], TESTING, impatient)
    assert "cross_validation" not in trained.metrics
    assert trained.metrics["test_accuracy"] is not None


def test_train_evaluation_lists_the_test_pictures(dataset: Dataset, features: Features) -> None:
    trained = train(dataset, features, CONFIGS[0], TESTING, silent)
    evaluation = read_evaluation(trained.digest, trained.files.__getitem__)
    rows = [row for row in dataset.rows if row[2] == TEST]
    assert evaluation.sha256s == [sha256 for sha256, _, _ in rows]
    assert evaluation.labels.tolist() == [label for _, label, _ in rows]
    hits = evaluation.probabilities.argmax(axis=1) == evaluation.labels
    assert hits.mean() == trained.metrics["test_accuracy"]
    head = read(trained).head
    np.testing.assert_array_equal(evaluation.probabilities, head.probabilities(features[TEST]))


def test_train_reports_its_stages_in_order(dataset: Dataset, features: Features) -> None:
    calls: list[tuple[str, float, dict[str, Any]]] = []
    train(
        dataset, features, CONFIGS[0], TESTING, lambda stage, fraction, **point: calls.append((stage, fraction, point))
    )
    assert list(dict.fromkeys(stage for stage, _, _ in calls)) == ["head", "evaluate"]
    assert all(0 <= fraction <= 1 for _, fraction, _ in calls)


def test_dataset_splits_hold_every_picture_once(dataset: Dataset) -> None:
    assert sorted(sha256 for split in SPLITS for sha256 in dataset.sha256s(split)) == dataset.sha256s()
    for split in SPLITS:
        labels = {sha256: label for sha256, label, _ in dataset.rows}
        assert dataset.labels(split).tolist() == [labels[sha256] for sha256 in dataset.sha256s(split)]
    assert dataset.labels("nothing").dtype == np.int64


def test_train_learns_from_the_views_and_measures_on_the_pictures(
    dataset: Dataset, features: Features, pictures: dict[str, tuple[bytes, int]], engine: LiteRTEngine
) -> None:
    config = CONFIGS[0].model_copy(update={"flip_left_right": True, "random_brightness": 70, "augmented_copies": 4})
    augmented = [embed(dataset.sha256s(TRAINING), pictures, engine, one) for one in config.augmentations]
    with_augmented = {**features, TRAINING: np.concatenate([features[TRAINING], *augmented])}
    trained = train(dataset, with_augmented, config, TESTING, silent)
    assert trained.metrics["test_accuracy"] == 1.0
    assert trained.metrics["test_n"] == len(dataset.sha256s(TEST))
    assert parse_config(read(trained).manifest["config"]) == config
    assert trained.files == train(dataset, with_augmented, config, TESTING, silent).files

    plain = train(dataset, features, CONFIGS[0], TESTING, silent)
    unusual = embed(dataset.sha256s(TEST), pictures, engine, replace(config.augmentations[0], number=9))
    assert loss(read(trained), unusual, dataset) < loss(read(plain), unusual, dataset)


def loss(artifact: Artifact, features: NDArray[np.float32], dataset: Dataset) -> float:
    right = artifact.head.probabilities(features)[np.arange(len(features)), dataset.labels(TEST)]
    return float(-np.log(right).mean())


def test_train_views_leave_the_balance_of_the_classes(dataset: Dataset, features: Features) -> None:
    """Get the same problem from each picture three times over, because classes keep their weights."""
    config = CONFIGS[0].model_copy(update={"flip_left_right": True, "random_crop": 1, "augmented_copies": 2})
    thrice = {**features, TRAINING: np.tile(features[TRAINING], (3, 1))}
    trained, plain = (
        train(dataset, thrice, config, TESTING, silent),
        train(dataset, features, CONFIGS[0], TESTING, silent),
    )
    np.testing.assert_allclose(
        read(trained).head.probabilities(features[TEST]), read(plain).head.probabilities(features[TEST]), atol=1e-3
    )


def test_train_refuses_pictures_of_other_things(dataset: Dataset, features: Features, engine: LiteRTEngine) -> None:
    trained = train(dataset, features, CONFIGS[0], TESTING, silent)
    assert trained.metrics["none_of_these"] == {
        "n": trained.metrics["test_n"],
        "refused": 0,
        "others": 0,
        "others_refused": 0,
    }
    others = [make_jpeg(number, colour=(240, 240, 20)) for number in range(10)]
    for answer in classify_features(extract_features(others, engine), read(trained)):
        assert not isinstance(answer, ImageRejected)
        assert answer.reason == Reason.UNLIKE


def test_train_negative_class_is_an_answer_and_teaches_what_else_there_is(dataset: Dataset, features: Features) -> None:
    trained = train(dataset, features, CONFIGS[0], TESTING, silent, negative=[9])
    rejection = read(trained).rejection
    assert rejection.others == (2,)
    assert rejection.detector is not None
    plain = read(train(dataset, features, CONFIGS[0], TESTING, silent)).rejection.detector
    assert plain is not None
    blue = features[TEST][dataset.labels(TEST) == 2]
    assert (plain.likeness(blue) >= plain.least_likeness).all()
    assert (rejection.detector.likeness(blue) < rejection.detector.least_likeness).all()
    measured = trained.metrics["none_of_these"]
    assert (measured["refused"], measured["others_refused"]) == (0, measured["others"])
    assert measured["others"] == len(blue)


def test_train_gives_only_answers_as_precise_as_wanted(dataset: Dataset, features: Features) -> None:
    """Put wrong labels on a third of the pictures, so that no class is right nine times in ten."""
    random = np.random.default_rng(0)
    rows = [
        (sha256, int(random.integers(3)) if random.random() < 0.5 else label, split)
        for sha256, label, split in dataset.rows
    ]
    noisy = Dataset(dataset.digest, CLASSES, rows)
    wanted = CONFIGS[0].model_copy(update={"wanted_precision": 90})
    bold, shy = (read(train(noisy, features, config, TESTING, silent)) for config in (CONFIGS[0], wanted))
    assert bold.rejection.least_probabilities is None
    assert shy.rejection.least_probabilities is not None
    assert (shy.rejection.least_probabilities > 0.3).any()
    np.testing.assert_array_equal(bold.head.weights, shy.head.weights)


def test_train_tells_how_many_folds_there_were(dataset: Dataset, features: Features) -> None:
    """Leave three pictures of a class outside the test: they can be dealt into three folds and no more."""
    kept, few = [], 0
    for place, (_, label, split) in enumerate(dataset.rows):
        few += label == 0 and split != TEST
        if label or split == TEST or few <= 3:
            kept.append(place)
    rows = [dataset.rows[place] for place in kept]
    chosen = {sha256 for sha256, _, _ in rows}
    less = {split: features[split][[sha256 in chosen for sha256 in dataset.sha256s(split)]] for split in SPLITS}
    metrics = train(Dataset("e" * 64, CLASSES, rows), less, CONFIGS[0], TESTING, silent).metrics
    assert metrics["cross_validation"]["folds"] == 3
    assert metrics["cross_validation"]["n"] == len(rows)
