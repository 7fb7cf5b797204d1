"""upload -> samples: what becomes of each file."""

import csv
import io

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier.jobs.lifecycle import cancel_job
from classifier.models import Image, Job, Project, Sample, Upload, UploadItem
from classifier.selectors import upload_counts
from classifier.services import samples, uploads
from classifier.services.images import read_file
from classifier.services.projects import create_project, get_or_create_class
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures, upload_pictures

NAUGHTY_NAMES = ["Äpfel & Birnen", "苹果/香蕉", "\"'><script>alert(1)</script>", "🍏", "a\\b", "..", "con"]


def test_stored_duplicate_and_rejected(project: Project) -> None:
    picture = make_jpeg(1)
    items = add_pictures(
        project,
        {"red/1.jpg": picture, "red/2.jpg": picture, "blue/3.jpg": picture, "red/4.jpg": b"text", "red/5.jpg": b""},
    )
    assert [item.status for item in items] == ["stored", "duplicate", "duplicate", "rejected", "rejected"]
    assert items[1].reason == "The same picture is already in this class."
    assert "already in the class “red”" in items[2].reason
    assert items[4].reason == "The file is empty."
    assert Sample.objects.count() == 1


def test_rejected_pictures_make_no_class(project: Project) -> None:
    add_pictures(project, {"only-broken/1.jpg": b"text"})
    assert not project.classes.exists()


@pytest.mark.parametrize("name", NAUGHTY_NAMES)
def test_class_names_are_any_text(name: str, project: Project, as_owner: Client) -> None:
    _, (item,) = upload_pictures(project, [("x.jpg", name, make_jpeg(1))])
    assert item.status == "stored"
    page = as_owner.get(project.get_absolute_url()).content.decode()
    assert "<script>alert" not in page
    image_class = project.classes.get()
    assert image_class.name == name
    assert as_owner.get(image_class.get_absolute_url()).status_code == 200


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "not in a class folder"),
        ("  ", "not in a class folder"),
        ("x" * 201, "too long"),
        ("a\x00b", "control"),
    ],
)
def test_class_names_that_cannot_be(name: str, words: str, project: Project) -> None:
    _, (item,) = upload_pictures(project, [("x.jpg", name, make_jpeg(1))])
    assert item.status == "rejected"
    assert words in item.reason


def test_same_bytes_are_stored_once_for_all(project: Project, stranger: User) -> None:
    theirs = create_project("Theirs", by=stranger)
    picture = make_jpeg(1)
    (first,) = add_pictures(project, {"red/1.jpg": picture})
    (second,) = add_pictures(theirs, {"red/1.jpg": picture})
    assert (first.status, second.status) == ("stored", "stored")  # whether others have it is not told
    assert Image.objects.count() == 1
    assert Sample.objects.count() == 2


def test_picture_in_the_trash_comes_back_with_its_split(project: Project) -> None:
    picture = make_jpeg(1)
    add_pictures(project, {"red/1.jpg": picture})
    Sample.objects.update(split="test")
    samples.delete_samples(project, samples.pick(project, Sample.objects.values_list("pk", flat=True)), by=None)
    (item,) = add_pictures(project, {"blue/1.jpg": picture})
    assert item.status == "stored"
    sample = Sample.objects.get()
    assert (sample.split, sample.image_class.name, sample.deleted_at) == ("test", "blue", None)


def test_one_picture_from_the_browser(project: Project, as_owner: Client) -> None:
    started = as_owner.post(reverse("upload_start", args=[project.slug]), {"source": "Folder “x”"}).json()
    file = SimpleUploadedFile("C:\\fakepath\\1.jpg", make_jpeg(1))
    address = reverse("upload_picture", args=[project.slug, started["upload"]])
    answer = as_owner.post(address, {"class": "red", "name": "x/red/1.jpg", "file": file})
    assert answer.status_code == 201
    assert answer.json() == {"status": "stored", "reason": ""}
    assert UploadItem.objects.get().file_name == "x/red/1.jpg"
    assert as_owner.post(address, {"class": "red"}).status_code == 422


def test_archive_is_kept_for_its_job(project: Project, as_owner: Client) -> None:
    file = SimpleUploadedFile("flowers.zip", b"PK-something")
    answer = as_owner.post(reverse("upload_archive", args=[project.slug]), {"file": file})
    assert answer.status_code == 202
    upload = Upload.objects.get()
    assert upload.job is not None
    assert upload.job.status == Job.Status.QUEUED
    assert read_file(upload.job.config["archive"]) == b"PK-something"


def test_archive_by_another_name_is_refused(project: Project, as_owner: Client) -> None:
    file = SimpleUploadedFile("flowers.exe", b"x")
    answer = as_owner.post(reverse("upload_archive", args=[project.slug]), {"file": file})
    assert answer.status_code == 422
    assert ".zip" in answer.json()["error"]
    assert not Upload.objects.exists()


def test_oversize_picture_is_a_line_in_the_report(project: Project, as_owner: Client, settings) -> None:  # type: ignore[no-untyped-def]
    from ml.images.decoding import ImageLimits

    settings.IMAGE_LIMITS = ImageLimits(max_bytes=500)
    (item,) = add_pictures(project, {"red/1.jpg": make_jpeg(1)})
    assert item.status == "rejected"
    assert "larger" in item.reason


def test_report_as_csv_is_harmless_in_a_spreadsheet(project: Project, as_owner: Client) -> None:
    pictures = [("=cmd|' /C calc'!A0", "red", make_jpeg(1)), ('"quoted", name.jpg', "red", b"x")]
    upload, _ = upload_pictures(project, pictures)
    response = as_owner.get(reverse("upload_report", args=[project.slug, upload.pk]))
    rows = list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode())))  # type: ignore[attr-defined]
    assert rows[0] == ["file", "class", "status", "reason"]
    assert rows[1][0] == "'=cmd|' /C calc'!A0"
    assert rows[2][0] == '"quoted", name.jpg'
    assert rows[2][2] == "rejected"


def test_report_page_filters_and_pages(project: Project, as_owner: Client) -> None:
    upload, _ = upload_pictures(project, [(f"{number}.jpg", "red", b"x") for number in range(201)])
    page = as_owner.get(upload.get_absolute_url() + "?status=rejected").content.decode()
    assert "199.jpg" in page
    assert "200.jpg" not in page
    after = UploadItem.objects.order_by("pk")[199].pk
    assert "200.jpg" in as_owner.get(f"{upload.get_absolute_url()}?after={after}").content.decode()
    assert as_owner.get(upload.get_absolute_url() + "?after=nonsense").status_code == 200
    assert upload_counts(upload) == {"rejected": 201}


def test_large_request_is_refused_before_it_is_read(client: Client) -> None:
    response = client.post("/sign-in", {"x": "y"}, headers={"Content-Length": str(2**21)})
    assert response.status_code == 413


def test_deleted_class_name_can_be_used_again(project: Project) -> None:
    first = get_or_create_class(project, " Äpfel ")
    assert first.name == "Äpfel"
    assert get_or_create_class(project, "A\u0308pfel") == first  # the same letters, composed otherwise


def test_archive_goes_when_its_job_has_ended(project: Project) -> None:
    file = SimpleUploadedFile("flowers.zip", b"PK-something")
    upload = uploads.receive_archive(project, file, "flowers.zip", by=project.owner)
    assert upload.job is not None
    path = upload.job.config["archive"]
    uploads.delete_read_archives()
    assert read_file(path) == b"PK-something"  # the job still needs it
    cancel_job(upload.job)
    uploads.delete_read_archives()
    with pytest.raises(FileNotFoundError):
        read_file(path)
    uploads.delete_read_archives()
