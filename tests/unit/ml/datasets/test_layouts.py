"""Test what is understood of folders and file names: classes, splits, what has no class, and what is asked."""

from collections.abc import Callable

import pytest

from tests.layouts import TEST, TRAIN, VAL, Case, check_again, check_answers, check_plan, pictures, table

CASES = [
    # Folders
    Case("class folders", pictures("cat/#3", "dog/#2"), {"cat": 3, "dog": 2}),
    Case("class folders in a folder", pictures("pets/cat/#3", "pets/dog/#2"), {"cat": 3, "dog": 2}),
    Case("deep in folders", pictures("a/b/c/cat/#3", "a/b/c/dog/#2"), {"cat": 3, "dog": 2}),
    Case("one class", pictures("daisy/#3"), {"daisy": 3}),
    Case(
        "one class in a folder",
        pictures("flowers/daisy/#3") | table("flowers/LICENSE.txt", "x"),
        {"daisy": 3},
        left_out=1,
    ),
    Case(
        "train, val, test above",
        pictures(
            "ds/train/cat/#4", "ds/train/dog/#4", "ds/val/cat/#1", "ds/val/dog/#1", "ds/test/cat/#2", "ds/test/dog/#2"
        ),
        {"cat": 7, "dog": 7},
        {TRAIN: 8, VAL: 2, TEST: 4},
    ),
    Case(
        "Training, Validation, Testing",
        pictures("Training/cat/#4", "Validation/cat/#1", "Testing/cat/#2", "Testing/dog/#1"),
        {"cat": 7, "dog": 1},
        {TRAIN: 4, VAL: 1, TEST: 3},
    ),
    Case(
        "train and test below the classes",
        pictures("cat/train/#4", "cat/test/#1", "dog/train/#3", "dog/test/#2"),
        {"cat": 5, "dog": 5},
        {TRAIN: 7, TEST: 3},
    ),
    Case(
        "split in the folder's longer name",
        pictures("seg_train/seg_train/sea/#2", "seg_train/seg_train/ice/#2", "seg_test/seg_test/sea/#1", "seg_pred/#2"),
        {"ice": 2, "sea": 3},
        {TRAIN: 4, TEST: 1},
        2,
    ),
    Case(
        "train_set, test_set",
        pictures("training_set/cat/#2", "test_set/cat/#1", "test_set/dog/#1"),
        {"cat": 3, "dog": 1},
        {TRAIN: 2, TEST: 2},
    ),
    Case(
        "unlabelled test",
        pictures("ds/train/cats/#2", "ds/train/dogs/#2", "ds/test/#3"),
        {"cats": 2, "dogs": 2},
        {TRAIN: 4},
        3,
    ),
    Case(
        "test images in a folder",
        pictures("train/cats/#2", "train/dogs/#2", "test/images/#3"),
        {"cats": 2, "dogs": 2},
        {TRAIN: 4},
        3,
    ),
    Case("images within classes", pictures("fruit/apple/images/#2", "fruit/pear/images/#2"), {"apple": 2, "pear": 2}),
    Case("images above classes", pictures("images/apple/#2", "images/pear/#2", "data/#0"), {"apple": 2, "pear": 2}),
    Case(
        "a folder of the same name in each class",
        pictures("apple/cam1 roll/#2", "pear/cam1 roll/#2"),
        {"apple": 2, "pear": 2},
    ),
    Case(
        "days within classes",
        pictures("circle/monday/#2", "circle/tuesday/#2", "square/monday/#2"),
        {"circle": 4, "square": 2},
    ),
    Case(
        "dates within classes",
        pictures("a b/2023-01-02/#2", "a b/2023-01-03/#2", "c/2023-01-02/#2"),
        {"a b": 4, "c": 2},
    ),
    Case(
        "sessions above classes",
        pictures("session1/cat/#2", "session1/dog/#2", "session2/cat/#2"),
        {"cat": 4, "dog": 2},
    ),
    Case(
        "either level",
        pictures("bottle/good/#2", "bottle/bad/#2", "cable/good/#2", "cable/bad/#2"),
        {"bottle": 4, "cable": 4},
        asks=("layout",),
    ),
    Case(
        "a taxonomy",
        pictures("animal/cat/#2", "animal/dog/#2", "vehicle/car/#2"),
        {"cat": 2, "car": 2, "dog": 2},
        asks=("layout",),
    ),
    Case(
        "digits within fonts",
        pictures("arial/0/#2", "arial/1/#2", "times/0/#2"),
        {"arial": 4, "times": 2},
        asks=("layout",),
    ),
    Case("differing depth", pictures("cat/#2", "cat/kitten/#2", "dog/#2"), {"cat": 4, "dog": 2}, asks=("layout",)),
    Case(
        "MVTec",
        pictures(
            "bottle/train/good/#3",
            "bottle/test/good/#1",
            "bottle/test/broken_large/#2",
            "bottle/ground_truth/broken_large/#2",
        ),
        {"broken_large": 2, "good": 4},
        {TRAIN: 3, TEST: 3},
        left_out=2,
    ),
    Case(
        "a class called train",
        pictures("bus/#2", "car/#2", "train/#2"),
        {"bus": 2, "car": 2},
        {TRAIN: 0},
        2,
        asks=("layout",),
    ),
    Case(
        "test beside the classes",
        pictures("cats/#2", "dogs/#2", "test/#2"),
        {"cats": 2, "dogs": 2},
        unlabelled=2,
        asks=("layout",),
    ),
    Case(
        "test with classes beside the classes",
        pictures("cats/#2", "dogs/#2", "test/cats/#1"),
        {"cats": 3, "dogs": 2},
        {TEST: 1},
    ),
    Case("images beside classes", pictures("apple/#2", "images/#2"), {"apple": 2}, unlabelled=2, asks=("layout",)),
    Case("a real class of masks", pictures("mask/#2", "no_mask/#2"), {"mask": 2, "no_mask": 2}),
    Case(
        "annotations beside classes",
        pictures("apple/#2", "pear/#2", "annotations/#2"),
        {"apple": 2, "pear": 2},
        left_out=2,
        asks=("layout",),
    ),
    Case("pictures at the root", pictures("ds/#1", "ds/cat/#2", "ds/dog/#2"), {"cat": 2, "dog": 2}, unlabelled=1),
    Case(
        "stray pictures in training",
        pictures("train/#2", "test/cat/#2", "test/dog/#2"),
        {"cat": 2, "dog": 2},
        {TEST: 4},
        2,
        asks=("layout", "splits"),
    ),
    Case(
        "unlabelled folder",
        pictures("train/cat/#2", "train/dog/#2", "unlabeled/#3"),
        {"cat": 2, "dog": 2},
        {TRAIN: 4},
        3,
    ),
    Case("only a test", pictures("test/cat/#2", "test/dog/#2"), {"cat": 2, "dog": 2}, {TEST: 4}, asks=("splits",)),
    Case(
        "a folder that Keras wants",
        pictures("train/cat/#2", "train/dog/#2", "test/unknown/#3"),
        {"cat": 2, "dog": 2},
        {TRAIN: 4},
        3,
    ),
    Case(
        "a test within a test",
        pictures("train/cat/#2", "train/dog/#2", "test/test/#3"),
        {"cat": 2, "dog": 2},
        {TRAIN: 4},
        3,
    ),
    Case(
        "classes and splits in one name",
        pictures("circle_train/#3", "circle_test/#1", "square_train/#3", "square_test/#1"),
        {"circle": 4, "square": 4},
        {TRAIN: 6, TEST: 2},
    ),
    Case(
        "a split before the class, as people write it",
        pictures("Train-hot dog/#3", "Test-hot dog/#1", "train pizza_slice/#3", "testing.pizza_slice/#1"),
        {"hot dog": 4, "pizza_slice": 4},
        {TRAIN: 6, TEST: 2},
    ),
    Case(
        "numbered classes and splits in one name",
        pictures("digit1_train/#3", "digit1_test/#1", "digit2_train/#3", "digit2_val/#1"),
        {"digit1": 4, "digit2": 4},
        {TRAIN: 6, VAL: 1, TEST: 1},
    ),
    Case(
        "one split in the names of all classes",
        pictures("pets/cats_train/#3", "pets/hot_dogs_train/#2"),
        {"cats": 3, "hot_dogs": 2},
        {TRAIN: 5},
        asks=("layout",),
    ),
    Case(
        "each class in one split",
        pictures("cat_test/#3", "train-dog/#2"),
        {"cat": 3, "dog": 2},
        {TRAIN: 2, TEST: 3},
        asks=("layout",),
    ),
    Case(
        "only a test, in the names",
        pictures("cat_test/#3", "dog_test/#2"),
        {"cat": 3, "dog": 2},
        {TEST: 5},
        asks=("layout", "splits"),
    ),
    Case(
        "trains, and what else drives",
        pictures("freight_train/#3", "bus/#2"),
        {"bus": 2, "freight_train": 3},
    ),
    Case(
        "a class called train, among others",
        pictures("train/#2", "plane/#2"),
        {"plane": 2},
        {TRAIN: 0},
        2,
        asks=("layout",),
    ),
    Case(
        "masks and images with their split",
        pictures("train_images/#3", "train_masks/#3", "test_images/#2", "test_masks/#2"),
        {},
        unlabelled=10,
        asks=("layout",),
    ),
    Case(
        "classes that sound like occasions",
        pictures("red/rectangle/#2", "red/party/#2", "blue/rectangle/#2"),
        {"blue": 2, "red": 4},
        asks=("layout",),
    ),
    # Nothing that says the class
    Case("flat", pictures("IMG_#3"), {}, unlabelled=3, asks=("layout",)),
    Case("flat in a folder of no meaning", pictures("images/a#3"), {}, unlabelled=3, asks=("layout",)),
    Case("train and test without classes", pictures("ds/train/#3", "ds/test/#2"), {}, unlabelled=5, asks=("layout",)),
    Case(
        "objects, not classes",
        pictures("train/images/#3", "valid/images/#2") | table("data.yaml", "names: [a]"),
        {},
        unlabelled=5,
        left_out=1,
        asks=("layout",),
    ),
    # File names
    Case(
        "dogs against cats", pictures("train/cat.#3", "train/dog.#3", "test1/#2"), {"cat": 3, "dog": 3}, {TRAIN: 6}, 2
    ),
    Case("names with underscores", pictures("images/cat_#3", "images/dog_#3"), {"cat": 3, "dog": 3}, asks=("layout",)),
    Case(
        "most names in a folder with a name",
        pictures("pets/cat_#3", "pets/dog_#3", "pets/IMG_#1"),
        {"pets": 7},
        asks=("layout",),
    ),
    Case("one folder of a collection", pictures("flower_photos/#3"), {}, unlabelled=3, asks=("layout",)),
    Case("photos of one class as a camera names them", pictures("daisy/IMG_2023_#5"), {"daisy": 5}),
    Case(
        "names in a folder with a name", pictures("pets/cat_#3", "pets/dog_#3"), {"cat": 3, "dog": 3}, asks=("layout",)
    ),
    Case(
        "Teachable Machine",
        pictures("Class 1-!-#2", "Hand up-!-#3") | table("manifest.json", '{"type":"image","appdata":{}}'),
        {"Class 1": 2, "Hand up": 3},
        left_out=1,
    ),
    Case(
        "names that match no table",
        pictures("train/cat.#2", "train/dog.#2") | table("train.csv", "id,label\n1.jpg,cat\n"),
        {"cat": 2, "dog": 2},
        {TRAIN: 4},
        left_out=1,
    ),
    Case(
        "folders that name their split once more",
        pictures("training/cat_train/#3", "training/dog_train/#3", "test/cat_test/#2", "test/dog_test/#2"),
        {"cat": 5, "dog": 5},
        {TRAIN: 6, TEST: 4},
    ),
    Case(
        "trains in a folder for training",
        pictures("train/freight_train/#3", "train/fast_train/#3", "test/freight_train/#2", "test/fast_train/#2"),
        {"fast_train": 5, "freight_train": 5},
        {TRAIN: 6, TEST: 4},
    ),
    # Names
    Case(
        "litter",
        pictures(
            "d/cat/#2",
            "d/dog/#2",
            "d/cat/@eaDir/0.jpg/x#1",
            "d/#recycle/x#1",
            "d/$RECYCLE.BIN/x#1",
            "d/cat/thumbs/#2",
            "d/lost+found/#1",
        ),
        {"cat": 2, "dog": 2},
        left_out=6,
    ),
    Case("invisible twins", pictures("cat/#1", "cat\u200b/#1", "\u202etac/#1", "ca\u200dt/#1"), {"cat": 4}),
    Case(
        "case and width", pictures("Cat/#1", "cat/#2", "ｃａｔ/#1"), {"Cat": 1, "cat": 2, "ｃａｔ": 1}, asks=("alike",)
    ),
    Case("look-alikes", pictures("cat/#2", "сat/#1", "dog/#1"), {"cat": 2, "dog": 1, "сat": 1}, asks=("alike",)),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
@pytest.mark.parametrize("check", [check_plan, check_answers, check_again])
def test_layout(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
