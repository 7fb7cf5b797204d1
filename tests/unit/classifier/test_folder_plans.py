"""The browser sends the paths of a folder; the server says what they are, and takes what the browser then sends."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier.models import Project, Sample, UploadItem
from tests.pictures import make_jpeg


@pytest.fixture
def browser(project: Project, client: Client) -> Client:
    client.force_login(project.owner)
    return client


def as_file(value: Any) -> SimpleUploadedFile:
    return SimpleUploadedFile("blob", value if isinstance(value, bytes) else json.dumps(value).encode())


def plan(browser: Client, project: Project, paths: Any, **fields: Any) -> Any:
    sent = paths if isinstance(paths, bytes) else [[path, 10] for path in paths]
    return browser.post(reverse("upload_plan", args=[project.slug]), {"paths": as_file(sent), **fields})


def verdicts(answer: Any) -> list[Any]:
    told = answer.json()
    return [told["kinds"][place] if place >= 0 else None for place in told["files"]]


def test_each_path_has_its_class_split_and_reason(browser: Client, project: Project) -> None:
    paths = ["d/train/cat/1.jpg", "d/.DS_Store", "d/train/dog/2.jpg", "d/notes.md", "d/test/3.jpg"]
    assert verdicts(plan(browser, project, paths)) == [
        ["cat", "training", "", None],
        None,
        ["dog", "training", "", None],
        [None, "", "", "It is not a picture."],
        [None, "", "", None],
    ]


def test_tables_are_sent_along(browser: Client, project: Project) -> None:
    table = SimpleUploadedFile("labels.csv", b"file,label,split\n1.jpg,cat,test\n2.jpg,dog,train")
    paths = ["d/1.jpg", "d/2.jpg", "d/labels.csv"]
    answer = plan(browser, project, paths, table_path=["d/labels.csv"], table=[table])
    assert verdicts(answer) == [["cat", "test", "", None], ["dog", "training", "", None], None]


def test_doubtful_folder_is_asked_and_the_answer_settles_it(browser: Client, project: Project) -> None:
    paths = ["d/x/good/1.jpg", "d/x/bad/1.jpg", "d/y/good/1.jpg"]
    answer = plan(browser, project, paths).json()
    assert not answer["ready"]
    assert 'value="last"' in answer["html"]
    answer = plan(browser, project, paths, layout=["last", ""]).json()
    assert answer["ready"]
    assert [kind[0] for kind in answer["kinds"]] == ["good", "bad"]


def test_names_are_escaped(browser: Client, project: Project) -> None:
    html = plan(browser, project, ["<script>alert(1)</script>x/1.jpg", "b/1.jpg"]).json()["html"]
    assert "<script>" not in html


@pytest.mark.parametrize(
    "sent", [b"", b"x", b"[" * 100_000, b"[1]", b'[["a"]]', b'[["a", "b"]]', b"[[1, 2]]", b"{}"[:0] + b"null"]
)
def test_bad_lists_of_paths_are_a_sentence(browser: Client, project: Project, sent: bytes) -> None:
    answer = plan(browser, project, sent)
    assert answer.status_code == 422
    assert "JSON list" in answer.content.decode()


def test_bad_layout_is_a_sentence(browser: Client, project: Project) -> None:
    assert "Use auto" in plan(browser, project, ["a/1.jpg"], layout="nonsense").content.decode()


def test_hostile_paths_are_refused_in_the_plan(browser: Client, project: Project) -> None:
    found = verdicts(plan(browser, project, ["../../etc/1.jpg", "a/1\n.jpg", "C:\\x.jpg", "a/2.jpg"]))
    assert [kind[3] is None for kind in found] == [False, False, False, True]


def test_what_is_left_out_is_in_the_report(browser: Client, project: Project) -> None:
    left_out = as_file([["d/notes.md", "It is not a picture."], ["d/\0.md", "x" * 900]])
    started = browser.post(reverse("upload_start", args=[project.slug]), {"source": "d", "left_out": left_out})
    assert started.status_code == 201
    assert list(UploadItem.objects.values_list("status", flat=True)) == ["rejected"] * 2
    bad = as_file([["d/notes.md", ""]])
    assert browser.post(reverse("upload_start", args=[project.slug]), {"left_out": bad}).status_code == 422


@pytest.mark.parametrize(
    ("fields", "label", "split"),
    [
        ({"class": "cat", "split": "test"}, "cat", "test"),
        ({"unlabelled": "1"}, None, ""),
        ({"class": "cat", "split": "'; DROP TABLE"}, "cat", ""),
    ],
)
def test_picture_is_taken_as_it_was_planned(
    browser: Client, project: Project, fields: dict[str, str], label: str | None, split: str
) -> None:
    started = browser.post(reverse("upload_start", args=[project.slug]), {"source": "d"}).json()["upload"]
    file = SimpleUploadedFile("1.jpg", make_jpeg(1))
    address = reverse("upload_picture", args=[project.slug, started])
    assert browser.post(address, {"file": file, **fields}).json()["status"] == "stored"
    sample = Sample.objects.get()
    assert (sample.image_class.name if sample.image_class else None, sample.split) == (label, split)
