"""The whole path through HTTP, with a real worker process and a real Valkey."""

import io
import zipfile
from typing import Any

import pytest

from tests.datasets import COLOURS, coloured_pictures, make_tgz, make_zip
from tests.pictures import make_jpeg
from tests.site import Client, Site

pytestmark = pytest.mark.site


def make_trained_project(owner: Client, name: str, each: int = 12) -> tuple[str, dict[str, object]]:
    """Make a project and return (slug, the finished training job)."""
    slug = owner.ok("POST", "/projects", {"name": name})["slug"]
    archive = [("file", "colours.zip", make_zip(coloured_pictures(each)))]
    ingest = owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"]
    owner.succeed(ingest)
    training = owner.ok("POST", f"/projects/{slug}/train", {})["job"]
    return slug, owner.wait_job(training)


def test_from_archive_to_answer(owner: Client) -> None:
    slug, job = make_trained_project(owner, "From archive to answer")

    assert job["status"] == "SUCCEEDED", job["error"]
    assert job["result"]["model_version"] == 1
    assert job["progress"] == 1
    assert [point["step"] for point in job["curve"]] == sorted(point["step"] for point in job["curve"])

    with zipfile.ZipFile(io.BytesIO(owner.fetch(f"/jobs/{job['id']}/event-files"))) as events:
        runs = {name.split("/")[1] for name in events.namelist() if "/events.out.tfevents." in name}
        assert runs == {"train", "validation", "test"}
        assert sum(entry.compress_size for entry in events.infolist()) < job["result"]["event_files"] < 2**20

    version = owner.ok("GET", f"/projects/{slug}/versions/1")
    assert version["live"] is True
    assert version["metrics"]["test_n"] == 3
    assert version["metrics"]["interval"][0] < version["metrics"]["test_accuracy"] <= version["metrics"]["interval"][1]
    assert [row["name"] for row in version["metrics"]["per_class"]] == ["blue", "green", "red"]

    for name, colour in COLOURS.items():
        picture = [("image", "new.jpg", make_jpeg(77, colour=colour))]
        answer = owner.ok("POST", f"/projects/{slug}/classify", {}, picture)
        assert answer["project"] == slug
        assert answer["model_version"] == 1
        (prediction,) = answer["predictions"]
        assert prediction["file"] == "new.jpg"
        assert prediction["classes"][0]["name"] == name
        assert sum(entry["probability"] for entry in prediction["classes"]) == pytest.approx(1, abs=1e-4)


def test_pictures_sent_one_by_one_and_classified_several_at_once(owner: Client) -> None:
    slug = owner.ok("POST", "/projects", {"name": "One by one"})["slug"]
    for path, data in coloured_pictures(4, seed=50, names=("red", "blue")).items():
        label, name = path.split("/")
        answer = owner.ok("POST", f"/projects/{slug}/uploads", {"class": label}, [("file", name, data)])
        assert answer["results"] == [{"file": name, "status": "stored", "reason": ""}]
    owner.succeed(owner.ok("POST", f"/projects/{slug}/train", {})["job"])

    pictures = [
        ("image", "a.jpg", make_jpeg(1, colour=COLOURS["red"])),
        ("image", "broken.jpg", b"not a picture"),
        ("image", "b.jpg", make_jpeg(2, colour=COLOURS["blue"])),
    ]
    predictions = owner.ok("POST", f"/projects/{slug}/classify", {}, pictures)["predictions"]
    assert [entry["classes"][0]["name"] for entry in (predictions[0], predictions[2])] == ["red", "blue"]
    assert predictions[1]["classes"] == []
    assert "not a picture" in predictions[1]["error"]


def test_report_of_an_archive_names_every_file(owner: Client) -> None:
    slug = owner.ok("POST", "/projects", {"name": "Report"})["slug"]
    files = coloured_pictures(2, seed=90, names=("red",))
    files |= {
        "red/again.jpg": files["red/0.jpg"],
        "blue/contradiction.jpg": files["red/1.jpg"],
        "red/text.jpg": b"this is text",
        "red/.DS_Store": b"x",
        "../red/escape.jpg": files["red/0.jpg"],
    }
    job = owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {}, [("file", "x.tgz", make_tgz(files))])["job"])
    assert job["result"]["counts"] == {"stored": 2, "duplicate": 2, "rejected": 2}

    report = owner.ok("GET", f"/projects/{slug}/uploads/{job['result']['upload']}")["results"]
    by_name = {row["file"]: row for row in report}
    assert "already in the class “red”" in by_name["blue/contradiction.jpg"]["reason"]
    assert by_name["red/text.jpg"]["status"] == "rejected"
    assert by_name["../red/escape.jpg"]["status"] == "rejected"
    assert not any(".DS_Store" in name for name in by_name)


def test_same_pictures_and_settings_give_the_same_version(owner: Client) -> None:
    slug, first = make_trained_project(owner, "Nothing new")
    again = owner.wait_job(owner.ok("POST", f"/projects/{slug}/train", {})["job"])
    assert again["result"]["model_version"] == first["result"]["model_version"]
    assert again["result"]["unchanged"] is True


def test_promote_and_roll_back_take_effect_at_once_in_every_process(owner: Client) -> None:
    slug, _ = make_trained_project(owner, "Roll back")
    second = owner.wait_job(owner.ok("POST", f"/projects/{slug}/train", {"seed": 1, "promote": True})["job"])
    assert second["result"]["model_version"] == 2

    picture = [("image", "x.jpg", make_jpeg(5, colour=COLOURS["red"]))]

    def answering() -> set[int]:
        """Collect the versions that answer, with a new connection per call, so that both processes get a turn."""
        return {owner.ok("POST", f"/projects/{slug}/classify", {}, picture)["model_version"] for _ in range(12)}

    assert answering() == {2}
    owner.ok("POST", f"/projects/{slug}/versions/1/promote")
    assert answering() == {1}
    assert [version["live"] for version in owner.ok("GET", f"/projects/{slug}/versions")] == [False, True]


def test_as_in_tensorflow_for_poets(owner: Client) -> None:
    slug, _ = make_trained_project(owner, "Poets")
    body = {"recipe": "sgd", "steps": 60, "learning_rate": 0.05, "batch_size": 20}
    job = owner.succeed(owner.ok("POST", f"/projects/{slug}/train", body)["job"])
    assert job["curve"][-1]["step"] == 60


def test_new_pictures_only_are_computed(owner: Client) -> None:
    slug, _ = make_trained_project(owner, "Only the new ones", each=10)
    more = {f"red/more-{number}.jpg": make_jpeg(9000 + number, colour=COLOURS["red"]) for number in range(5)}
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {}, [("file", "m.zip", make_zip(more))])["job"])
    job = owner.succeed(owner.ok("POST", f"/projects/{slug}/train", {})["job"])
    assert computed_pictures(owner, job["id"]) == 5


def test_augmented_copies_are_computed_once(owner: Client) -> None:
    slug, _ = make_trained_project(owner, "Distorted")
    body = {"flip_left_right": True, "random_crop": 10, "random_brightness": 20, "augmented_copies": 2}
    for seed, computed in ((0, 2 * 30), (1, 0)):  # of 36 pictures, 30 are for training
        job = owner.succeed(owner.ok("POST", f"/projects/{slug}/train", {**body, "seed": seed})["job"])
        assert computed_pictures(owner, job["id"]) == computed
    config = owner.ok("GET", f"/projects/{slug}/versions/3")["config"]
    assert {name: config[name] for name in body} == body


def computed_pictures(owner: Client, job: int) -> int:
    """Count the forward passes that the embed jobs of a training made, by their own count."""
    code = (
        "from classifier.models import Job; "
        f"print(sum(job.result.get('computed', 0) for job in Job.objects.filter(parent={job})))"
    )
    return int(owner.site.manage("shell", "--no-imports", "-c", code).stdout.strip().splitlines()[-1])


def start_sample_pictures(site: Site, owner: Client, name: str) -> tuple[str, Any]:
    """Start a sample project and return its slug, and the ended job that added its pictures."""
    code = (
        "from django.contrib.auth.models import User; from classifier.services.sample_sets import *; "
        f"project, upload = start_sample_project('{name}', by=User.objects.get(username='owner')); "
        "print(project.slug, upload.job_id)"
    )
    slug, number = site.manage("shell", "--no-imports", "-c", code).stdout.strip().splitlines()[-1].split()
    return slug, owner.wait_job(int(number), 60)


def test_sample_pictures_digits(site: Site, owner: Client) -> None:
    """Draw 1,797 pictures offline in ten classes; some are equal to the last pixel."""
    slug, job = start_sample_pictures(site, owner, "digits")
    assert job["status"] == "SUCCEEDED", job["error"]
    assert sum(job["result"]["counts"].values()) == 1797
    assert job["result"]["counts"]["stored"] > 1780
    project = owner.ok("GET", f"/projects/{slug}")
    assert sorted(row["name"] for row in project["classes"]) == [str(digit) for digit in range(10)]


def test_sample_pictures_flowers_are_downloaded(site: Site, owner: Client) -> None:
    slug, job = start_sample_pictures(site, owner, "flowers")
    assert job["status"] == "SUCCEEDED", job["error"]
    assert job["result"]["counts"] == {"stored": 12, "rejected": 1}  # the licence lies outside the class folders
    assert {row["name"] for row in owner.ok("GET", f"/projects/{slug}")["classes"]} == set(COLOURS)
