"""Test what is understood of the layouts that people have: classes, splits, what has no class, and what is asked."""

import json
from collections.abc import Callable
from typing import NamedTuple

import pytest

from ml.datasets.entries import DEFAULT_LIMITS, Survey
from ml.datasets.evidence import Listing
from ml.datasets.plan import Plan
from ml.datasets.planner import make_plan
from ml.datasets.readings import parse_layout

Files = dict[str, bytes]
TRAIN, VAL, TEST = "training", "validation", "test"


def pictures(*patterns: str) -> Files:
    """Make files from patterns such as `cat/#3`, which is three pictures."""
    files: Files = {}
    for pattern in patterns:
        stem, _, count = pattern.rpartition("#")
        files |= {f"{stem}{number}.jpg": b"" for number in range(int(count or 1))}
    return files


def table(name: str, text: str) -> Files:
    return {name: text.encode()}


def plan_of(files: Files, layout: str = "auto") -> Plan:
    survey = Survey(DEFAULT_LIMITS)
    kept = [name for name, data in files.items() if survey.add(name, None, len(data))]
    return make_plan(Listing(survey.members, lambda place: files[kept[place]], survey.litter), parse_layout(layout))


class Case(NamedTuple):
    name: str
    files: Files
    classes: dict[str, int]
    splits: dict[str, int] = {}
    unlabelled: int = 0
    left_out: int = 0
    asks: tuple[str, ...] = ()  # the keys of the questions


def rows(header: str, count: int, line: Callable[[int], str]) -> str:
    return "\n".join([header, *(line(number) for number in range(count))])


COCO = {
    "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(4)],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [{"image_id": n, "category_id": 1 + n % 2} for n in range(4)],
}
LABEL_STUDIO = [
    {
        "id": n,
        "data": {"image": f"/data/upload/1/0a1b2c3d-{n}.jpg"},
        "annotations": [{"result": [{"type": "choices", "value": {"choices": ["cat" if n % 2 else "dog"]}}]}],
    }
    for n in range(4)
]
LABEL_STUDIO_SHORT = [{"id": n, "image": f"/data/upload/1/0a1b2c3d-{n}.jpg", "choice": "cat"} for n in range(2)]
CVAT = (
    '<?xml version="1.0"?><annotations><image id="0" name="0.jpg"><tag label="cat"/></image>'
    '<image id="1" name="1.jpg" subset="Validation"><tag label="dog"/></image></annotations>'
)


def vertex(number: int) -> str:
    return json.dumps(
        {
            "imageGcsUri": f"gs://bucket/any/{number}.jpg",
            "classificationAnnotation": {"displayName": "cat" if number % 2 else "dog"},
            "dataItemResourceLabels": {"aiplatform.googleapis.com/ml_use": "test" if number == 3 else "training"},
        }
    )


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
    # Tables
    Case(
        "CSV",
        pictures("images/#4")
        | table("labels.csv", rows("file,label", 4, lambda n: f"{n}.jpg,{'cat' if n % 2 else 'dog'}")),
        {"cat": 2, "dog": 2},
    ),
    Case(
        "CSV with paths, splits and semicolons",
        pictures("img/#4")
        | table(
            "l.csv", rows("path;class;split", 4, lambda n: f"img\\{n}.jpg;c{n % 2};{'test' if n > 2 else 'train'}")
        ),
        {"c0": 2, "c1": 2},
        {TRAIN: 3, TEST: 1},
    ),
    Case(
        "TSV with names without ending",
        pictures("#4") | table("labels.tsv", rows("id\tbreed", 4, lambda n: f"{n}\tb{n % 2}")),
        {"b0": 2, "b1": 2},
    ),
    Case(
        "JSON Lines",
        pictures("#4")
        | table("m.jsonl", "\n".join(json.dumps({"file_name": f"{n}.jpg", "label": "ab"[n % 2]}) for n in range(4))),
        {"a": 2, "b": 2},
    ),
    Case(
        "JSON by file", pictures("#2") | table("labels.json", '{"0.jpg": "cat", "1.jpg": "dog"}'), {"cat": 1, "dog": 1}
    ),
    Case(
        "JSON by class",
        pictures("#2") | table("labels.json", '{"cat": ["0.jpg"], "dog": ["1.jpg"]}'),
        {"cat": 1, "dog": 1},
    ),
    Case(
        "JSON by columns",
        pictures("#2") | table("l.json", '{"images": ["0.jpg", "1.jpg"], "labels": ["cat", "dog"]}'),
        {"cat": 1, "dog": 1},
    ),
    Case(
        "JSON by columns and rows",
        pictures("#2") | table("l.json", '{"file": {"0": "0.jpg", "1": "1.jpg"}, "label": {"0": "cat", "1": "dog"}}'),
        {"cat": 1, "dog": 1},
    ),
    Case(
        "JSON by split and class",
        pictures("#3") | table("l.json", '{"train": {"cat": ["0.jpg"], "dog": ["1.jpg"]}, "test": {"cat": ["2.jpg"]}}'),
        {"cat": 2, "dog": 1},
        {TRAIN: 2, TEST: 1},
    ),
    Case(
        "JSON by split",
        pictures("#2")
        | table("l.json", '{"train": [{"file": "0.jpg", "label": "cat"}], "val": [{"file": "1.jpg", "label": "dog"}]}'),
        {"cat": 1, "dog": 1},
        {TRAIN: 1, VAL: 1},
    ),
    Case(
        "JSON of splits beside class folders",
        pictures("cat/#2", "dog/#2")
        | table("l.json", '{"train": ["cat/0.jpg", "dog/0.jpg"], "test": ["cat/1.jpg", "dog/1.jpg"]}'),
        {"cat": 2, "dog": 2},
        {TRAIN: 2, TEST: 2},
        left_out=1,
    ),
    Case(
        "GTSRB",
        pictures("Train/0/a#2", "Train/1/b#2", "Test/c#2")
        | table("Test.csv", "Width,Roi.X1,ClassId,Path\n27,5,0,Test/c0.jpg\n28,6,1,Test/c1.jpg"),
        {"0": 3, "1": 3},
        {TRAIN: 4, TEST: 2},
        left_out=1,
    ),
    Case(
        "boxes of the same class",
        pictures("#2") | table("l.csv", "filename,width,class,xmin\n0.jpg,9,cat,1\n0.jpg,9,cat,6\n1.jpg,9,dog,1"),
        {"cat": 1, "dog": 1},
    ),
    Case(
        "boxes of several classes",
        pictures("#2") | table("l.csv", "filename,width,class,xmin\n0.jpg,9,cat,1\n0.jpg,9,dog,6\n1.jpg,9,dog,1"),
        {"dog": 1},
        left_out=1,
        asks=("layout",),
    ),
    Case("COCO", pictures("#4") | table("c.json", json.dumps(COCO)), {"cat": 2, "dog": 2}),
    Case("Label Studio", pictures("#4") | table("export.json", json.dumps(LABEL_STUDIO)), {"cat": 2, "dog": 2}),
    Case("Label Studio, short", pictures("#2") | table("export.json", json.dumps(LABEL_STUDIO_SHORT)), {"cat": 2}),
    Case("CVAT", pictures("images/#2") | table("annotations.xml", CVAT), {"cat": 1, "dog": 1}, {VAL: 1}),
    Case(
        "Vertex AI, JSON Lines",
        pictures("#4") | table("i.jsonl", "\n".join(map(vertex, range(4)))),
        {"cat": 2, "dog": 2},
        {TRAIN: 3, TEST: 1},
    ),
    Case(
        "Vertex AI, CSV",
        pictures("#3")
        | table("i.csv", "training,gs://b/0.jpg,cat\ntest,gs://b/1.jpg,dog\nvalidation,gs://b/2.jpg,dog"),
        {"cat": 1, "dog": 2},
        {TRAIN: 1, VAL: 1, TEST: 1},
    ),
    Case(
        "Azure",
        pictures("#2")
        | table(
            "a.jsonl",
            '{"image_url":"azureml://x/paths/0.jpg","label":"cat","image_details":{"format":"jpg"}}\n{"image_url":"azureml://x/paths/1.jpg","label":"dog"}',
        ),
        {"cat": 1, "dog": 1},
    ),
    Case(
        "Ground Truth",
        pictures("#2")
        | table(
            "output.manifest",
            '{"source-ref":"s3://b/0.jpg","job":1,"job-metadata":{"class-name":"cat"}}\n{"source-ref":"s3://b/1.jpg","job":0,"job-metadata":{"class-name":"dog"}}',
        ),
        {"cat": 1, "dog": 1},
    ),
    Case(
        "Hugging Face",
        pictures("train/#2", "test/#2")
        | table("train/metadata.csv", "file_name,label\n0.jpg,cat\n1.jpg,dog")
        | table("test/metadata.csv", "file_name,label\n0.jpg,dog\n1.jpg,dog"),
        {"cat": 1, "dog": 3},
        {TRAIN: 2, TEST: 2},
    ),
    Case(
        "Roboflow",
        pictures("train/#4", "valid/#2")
        | table("train/_classes.csv", rows("filename, cat, dog", 4, lambda n: f"{n}.jpg, {n % 2}, {1 - n % 2}"))
        | table("valid/_classes.csv", "filename, cat, dog\n0.jpg, 1, 0\n1.jpg, 0, 1"),
        {"cat": 3, "dog": 3},
        {TRAIN: 4, VAL: 2},
    ),
    Case(
        "Roboflow, some with several classes",
        pictures("#4")
        | table("_classes.csv", "filename, cat, dog\n0.jpg, 1, 0\n1.jpg, 1, 1\n2.jpg, 0, 1\n3.jpg, 0, 1"),
        {"cat": 1, "dog": 2},
        left_out=1,
        asks=("layout",),
    ),
    Case(
        "numbers with names",
        pictures("#4") | table("train.txt", "0.jpg 0\n1.jpg 1\n2.jpg 1\n3.jpg 0") | table("synsets.txt", "cat\ndog"),
        {"cat": 2, "dog": 2},
        {TRAIN: 4},
        left_out=1,
    ),
    Case(
        "lists of a split beside class folders",
        pictures("images/cat/#2", "images/dog/#2")
        | table("meta/train.txt", "cat/0\ndog/0\ndog/1")
        | table("meta/test.txt", "cat/1"),
        {"cat": 2, "dog": 2},
        {TRAIN: 3, TEST: 1},
        left_out=2,
    ),
    Case(
        "example of answers",
        pictures("train/#4", "test/#2")
        | table("train.csv", rows("id,label", 4, lambda n: f"train/{n}.jpg,{'ab'[n % 2]}"))
        | table("sample_submission.csv", "id,label\ntest/0.jpg,a\ntest/1.jpg,a"),
        {"a": 2, "b": 2},
        {TRAIN: 4},
        2,
        left_out=1,
    ),
    Case(
        "a table for some",
        pictures("#10") | table("labels.csv", "file,label\n0.jpg,cat\n1.jpg,dog"),
        {"cat": 1, "dog": 1},
        unlabelled=8,
        asks=("layout",),
    ),
    Case(
        "several columns",
        pictures("#4")
        | table(
            "m.csv",
            rows(
                "image_id,dx,sex,age", 4, lambda n: f"{n},{'nv' if n > 1 else 'mel'},{'m' if n % 2 else 'f'},{40 + n}"
            ),
        ),
        {"mel": 2, "nv": 2},
        asks=("layout",),
    ),
    Case(
        "table and folders agree",
        pictures("cat/#2", "dog/#2")
        | table("m.csv", "file,label\ncat/0.jpg,cat\ncat/1.jpg,cat\ndog/0.jpg,dog\ndog/1.jpg,dog"),
        {"cat": 2, "dog": 2},
        left_out=1,
    ),
    Case(
        "table and folders disagree",
        pictures("part a/#2", "part b/#2")
        | table("m.csv", "file,label\npart a/0.jpg,x\npart a/1.jpg,y\npart b/0.jpg,x\npart b/1.jpg,y"),
        {"x": 2, "y": 2},
        asks=("layout",),
    ),
    Case(
        "a table of addresses",
        table("urls.csv", "image_url,label\nhttps://example.org/1.jpg,cat\nhttps://example.org/2.jpg,dog"),
        {},
        left_out=3,
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
def test_layout(case: Case) -> None:
    plan = plan_of(case.files)
    assert plan.classes == case.classes, plan.describe_fully()
    assert {split: count for split, count in plan.splits.items() if count} == {
        s: n for s, n in case.splits.items() if n
    }
    assert plan.unlabelled == case.unlabelled
    assert sum(left.count for left in plan.left_out) == case.left_out, plan.left_out
    assert tuple(question.key for question in plan.questions) == case.asks, plan.questions


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_file_is_accounted_for(case: Case) -> None:
    plan = plan_of(case.files)
    assert len(plan.verdicts) == sum(plan.classes.values()) + plan.unlabelled + sum(
        v.reason is not None for v in plan.verdicts
    )


@pytest.mark.parametrize("case", [case for case in CASES if case.asks], ids=[c.name for c in CASES if c.asks])
def test_every_option_of_a_question_can_be_chosen(case: Case) -> None:
    """The answer is a reading that gives what it promised, and does not ask the same again."""
    for question in plan_of(case.files).questions:
        assert question.options
        for option in question.options:
            plan = plan_of(case.files, option.layout)
            assert question.key not in [asked.key for asked in plan.questions]
            assert plan.classes == option.classes


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_chosen_reading_gives_the_same_plan(case: Case) -> None:
    plan = plan_of(case.files)
    again = plan_of(case.files, str(plan.layout))
    assert again.verdicts == plan.verdicts
