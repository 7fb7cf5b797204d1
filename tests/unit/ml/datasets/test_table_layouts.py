"""Test what is understood of tables and manifests beside pictures."""

import json
from collections.abc import Callable

import pytest

from tests.layouts import TEST, TRAIN, VAL, Case, check_again, check_answers, check_plan, pictures, rows, table

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
        {"cat": 1, "dog": 1},
        left_out=0,
    ),
    Case(
        "addresses and files, with splits",
        pictures("cat/#2", "dog/#2")
        | table("more.csv", "url,label,split\nhttps://example.org/1.jpg,cat,test\nftp://example.org/2.jpg,dog,test"),
        {"cat": 3, "dog": 2},
        {TEST: 1},
        left_out=1,
    ),
    Case(
        "several columns of a table of addresses",
        table(
            "urls.csv",
            "url,kind,age\n" + rows("", 8, lambda n: f"https://a.org/{n}.jpg,{'ab'[n % 2]},{'xy'[n > 3]}")[1:],
        ),
        {"a": 4, "b": 4},
        asks=("layout",),
    ),
    Case(
        "addresses alone",
        table("list.txt", rows("https://a.org/a.jpg", 4, lambda n: f"https://a.org/{n}.jpg")),
        {},
        unlabelled=5,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
@pytest.mark.parametrize("check", [check_plan, check_answers, check_again])
def test_layout(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
