"""Pages and accounts: what a person sees and may do."""

import re

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier.jobs.kinds import TRAIN
from classifier.models import ApiKey, ImageClass, Job, ModelVersion, Project, Sample, Upload
from classifier.services import prediction
from classifier.services.accounts import NotAllowed
from classifier.services.projects import create_project
from classifier.services.samples import delete_samples, pick, purge_samples
from classifier.services.set_up import create_administrator
from ml.images.rendering import Framing
from tests.datasets import coloured_pictures
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import PASSWORD, add_pictures, publish

ACCOUNT = {"username": "ada", "password1": PASSWORD, "password2": PASSWORD}


# --- accounts -----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_first_visit_creates_the_administrator(client: Client) -> None:
    assert client.get("/")["Location"] == reverse("set_up")
    assert client.get("/sign-in")["Location"] == reverse("set_up")
    response = client.post(reverse("set_up"), ACCOUNT)
    assert response["Location"] == reverse("project_list")
    assert User.objects.get().is_superuser
    assert client.get("/").status_code == 200


def test_there_is_one_first_visit_only(owner: User, client: Client) -> None:
    assert client.get(reverse("set_up"))["Location"] == reverse("project_list")
    client.post(reverse("set_up"), ACCOUNT)
    assert not User.objects.filter(username="ada").exists()
    with pytest.raises(NotAllowed):
        create_administrator("eve", PASSWORD)


def test_sign_up_sign_out_and_in(owner: User, client: Client) -> None:
    assert client.post(reverse("sign_up"), ACCOUNT)["Location"] == reverse("project_list")
    assert not User.objects.get(username="ada").is_superuser
    client.post(reverse("sign_out"))
    assert client.get("/")["Location"].startswith("/sign-in")
    assert client.post(reverse("sign_in"), {"username": "ada", "password": PASSWORD}).status_code == 302
    assert client.get("/").status_code == 200


def test_sign_up_can_be_switched_off(owner: User, client: Client, settings) -> None:  # type: ignore[no-untyped-def]
    settings.SIGNUP = "closed"
    assert client.get(reverse("sign_up")).status_code == 404
    assert client.post(reverse("sign_up"), ACCOUNT).status_code == 404
    assert b"Sign up" not in client.get(reverse("sign_in")).content


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password2": "another-horse-9"}, "match"),
        ({"password1": "12345", "password2": "12345"}, "too short"),
        ({"username": "OWNER"}, "taken"),
        ({"username": "a b"}, "valid username"),
    ],
)
def test_sign_up_says_what_is_wrong(changes: dict[str, str], words: str, owner: User, client: Client) -> None:
    response = client.post(reverse("sign_up"), {**ACCOUNT, **changes})
    assert response.status_code == 422
    assert words in response.content.decode()


def test_pages_work_while_the_cache_is_away(filled: Project, as_owner: Client, owner: User, settings) -> None:  # type: ignore[no-untyped-def]
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    assert b"No worker is running" in as_owner.get(reverse("train", args=[filled.slug])).content
    fresh = Client()
    assert fresh.post(reverse("sign_in"), {"username": "owner", "password": PASSWORD}).status_code == 302


def test_change_password(as_owner: Client) -> None:
    new = "other-horse-10"
    values = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert as_owner.post(reverse("change_password"), values).status_code == 302
    assert User.objects.get().check_password(new)


def test_sign_in_leads_only_to_our_own_pages(owner: User, client: Client) -> None:
    values = {"username": "owner", "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post(reverse("sign_in"), values)["Location"] == reverse("project_list")


def test_key_is_shown_once(as_owner: Client) -> None:
    page = as_owner.post(reverse("api_keys"), {"name": "script"}).content.decode()
    key = page.split('value="pw_')[1].split('"')[0]
    assert key not in as_owner.get(reverse("api_keys")).content.decode()
    assert as_owner.post(reverse("revoke_key", args=[ApiKey.objects.get().pk])).status_code == 302
    assert ApiKey.objects.get().revoked_at is not None


# --- headers ------------------------------------------------------------------------------------------


def test_pages_load_nothing_from_elsewhere(as_owner: Client) -> None:
    response = as_owner.get("/")
    assert response["Content-Security-Policy"].startswith("default-src 'self'")
    assert "unsafe" not in response["Content-Security-Policy"]
    assert response["X-Frame-Options"] == "DENY"
    assert b"https://" not in response.content


def test_only_pages_with_a_button_for_the_camera_may_use_it(trained: ModelVersion, as_owner: Client) -> None:
    slug, label = trained.project.slug, trained.project.classes.order_by("pk")[0]
    for address in (reverse("project", args=[slug]), label.get_absolute_url(), reverse("classify", args=[slug])):
        response = as_owner.get(address)
        assert response["Permissions-Policy"] == "camera=(self), microphone=(), geolocation=()"
        assert b"data-camera-open" in response.content
    for address in ("/", reverse("train", args=[slug]), "/api/v1/docs", "/nothing"):
        response = as_owner.get(address)
        assert response["Permissions-Policy"] == "camera=(), microphone=(), geolocation=()"
        assert b"data-camera-open" not in response.content


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/projects/a%00b",
        "/projects/a%00b/",
        "/api/v1/jobs/99999999999999999999999",
        "/projects/colours/classes/99999999999999999999999/",
        "/projects/colours/images/zz",
        "/projects/colours/versions/99999999999999999999999/",
    ],
)
def test_addresses_that_cannot_be(address: str, project: Project, as_owner: Client) -> None:
    assert as_owner.get(address).status_code == 404


@pytest.mark.parametrize(
    "query", ["uploads/1?after=-1", "uploads/1?after=1e9", "samples?before=x", "samples?size=0", "samples?class_id=x"]
)
def test_queries_that_cannot_be(query: str, filled: Project, as_owner: Client) -> None:
    assert as_owner.get(f"/api/v1/projects/{filled.slug}/{query}").status_code == 422


def test_missing_page_and_missing_api_call(as_owner: Client) -> None:
    assert b"Page not found" in as_owner.get("/nope").content
    assert as_owner.get("/api/v1/nope").json()["error"].startswith("There is no such address")


# --- projects, classes, samples -----------------------------------------------------------------------


def test_project_names_and_slugs(owner: User) -> None:
    slugs = [create_project(name, by=owner).slug for name in ("Fruit", "Fruit", "苹果", "new", "!?")]
    assert len(set(slugs)) == 5
    kinds = [re.fullmatch(r"(.+)-[0-9a-f]{6}", slug) for slug in slugs]
    assert [kind and kind[1] for kind in kinds] == ["fruit", "fruit", "project", "new", "project"]


def test_project_page_shows_names_as_text(project: Project, as_owner: Client) -> None:
    name = "<script>alert('x')</script>"
    add_pictures(project, {f"{name.replace('/', '')}/1.jpg": make_jpeg(1)})
    page = as_owner.get(project.get_absolute_url()).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_empty_project_says_what_to_do(project: Project, as_owner: Client) -> None:
    assert "First, upload pictures" in as_owner.get(project.get_absolute_url()).content.decode()
    assert "Train the first" in as_owner.get(reverse("versions", args=[project.slug])).content.decode()
    assert "Train it" in as_owner.get(reverse("classify", args=[project.slug])).content.decode()


def test_rename_class_and_refuse_a_taken_name(filled: Project, as_owner: Client) -> None:
    red = filled.classes.get(name="red")
    as_owner.post(reverse("class_rename", args=[filled.slug, red.pk]), {"name": "crimson"})
    as_owner.post(reverse("class_rename", args=[filled.slug, red.pk]), {"name": "green"})
    as_owner.post(reverse("class_rename", args=[filled.slug, red.pk]), {"name": "  "})
    red.refresh_from_db()
    assert red.name == "crimson"


def test_move_delete_restore_and_purge(filled: Project, as_owner: Client) -> None:
    red, green = filled.classes.get(name="red"), filled.classes.get(name="green")
    one, two = list(Sample.objects.filter(image_class=red)[:2])
    as_owner.post(reverse("samples_move", args=[filled.slug]), {"sample": [one.pk], "to": green.pk})
    as_owner.post(reverse("samples_delete", args=[filled.slug]), {"sample": [two.pk]})
    one.refresh_from_db()
    assert one.image_class == green
    assert Sample.objects.filter(image_class=red, deleted_at=None).count() == 4
    trash = as_owner.get(reverse("pictures", args=[filled.slug]), {"deleted": "true"}).content.decode()
    assert two.image.sha256 in trash
    as_owner.post(reverse("samples_restore", args=[filled.slug]), {"sample": [two.pk]})
    assert Sample.objects.filter(image_class=red, deleted_at=None).count() == 5
    delete_samples(filled, pick(filled, [two.pk]), by=None)
    assert purge_samples(filled) == 1
    assert not Sample.objects.filter(pk=two.pk).exists()


def test_samples_of_another_project_are_not_touched(filled: Project, stranger: User) -> None:
    theirs = create_project("Theirs", by=stranger)
    assert delete_samples(theirs, pick(theirs, Sample.objects.values_list("pk", flat=True)), by=None).count == 0


def test_pages_do_not_ask_more_of_the_database_for_more_samples(
    filled: Project,
    as_owner: Client,
    django_assert_max_num_queries,  # type: ignore[no-untyped-def]
) -> None:
    add_pictures(filled, {f"red/{number}.jpg": make_jpeg(number, size=(8, 8)) for number in range(70)})
    as_owner.get(reverse("account"))  # the first request of a session notes where it is
    with django_assert_max_num_queries(10):
        as_owner.get(filled.classes.get(name="red").get_absolute_url())


def test_thumbnail_is_made_once_and_kept(filled: Project, as_owner: Client) -> None:
    from django.core.files.storage import default_storage

    image = Sample.objects.select_related("image")[0].image
    response = as_owner.get(reverse("thumbnail", args=[filled.slug, image.sha256, 160]))
    assert response["Content-Type"] == "image/jpeg"
    assert "immutable" in response["Cache-Control"]
    default_storage.delete(image.path)
    assert as_owner.get(reverse("thumbnail", args=[filled.slug, image.sha256, 160])).content == response.content
    assert as_owner.get(reverse("picture", args=[filled.slug, image.sha256])).status_code == 404
    assert as_owner.get(reverse("thumbnail", args=[filled.slug, image.sha256, 999])).status_code == 404


# --- versions and answers -----------------------------------------------------------------------------


def test_few_test_pictures_give_way_to_a_cross_validation(trained: ModelVersion, as_owner: Client) -> None:
    crossed = {"accuracy": 0.5, "n": 120, "groups": 12, "interval": [0.254, 0.746], "folds": 5}
    trained.metrics |= {"cross_validation": crossed, "test_n": 20, "test_groups": 2}
    trained.save()
    page = " ".join(as_owner.get(trained.get_absolute_url()).content.decode().split())
    assert '<p class="big">50.0 %</p>' in page
    assert "without it and without those that show the same thing" in page
    assert "20 test pictures, which show 2 different things, are too few to go by." in page
    listed = as_owner.get(f"/projects/{trained.project.slug}/versions/").content.decode()
    assert "N = 120, cross-validated" in " ".join(listed.split())
    (told,) = as_owner.get(f"/api/v1/projects/{trained.project.slug}/versions").json()
    assert told["accuracy"] == {
        "accuracy": 0.5,
        "n": 120,
        "groups": 12,
        "interval": [0.254, 0.746],
        "by": "cross_validation",
    }


def test_version_page_shows_what_was_measured(trained: ModelVersion, as_owner: Client) -> None:
    page = as_owner.get(trained.get_absolute_url()).content.decode()
    assert "33.3 %" in page  # it always answers its first class, one of three
    assert "95 % confidence interval" in page
    assert "1 picture of green taken for blue" in " ".join(page.split())


class FakeEngine:
    """Stands in for the backbone where only the web side is tested; the true ones have tests of their own."""

    input_size, features, framing = 32, 48, Framing.WHOLE

    def embed(self, pictures: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return np.ones((len(pictures), self.features), np.float32)


@pytest.fixture
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "get_engine", lambda name: FakeEngine())


def test_version_page_tells_of_augmentation(filled: Project, as_owner: Client) -> None:
    plain = as_owner.get(publish(filled).get_absolute_url()).content.decode()
    assert "Random crop" not in plain
    mirrored = as_owner.get(publish(filled, flip_left_right=True).get_absolute_url()).content.decode()
    assert "Mirror left and right: yes" in mirrored
    assert "Copies of each picture: 1" in mirrored
    settings = {"random_crop": 10, "random_scale": 5, "random_brightness": 20, "augmented_copies": 2}
    page = as_owner.get(publish(filled, **settings).get_absolute_url()).content.decode()
    for said in ("Random crop, %: 10", "Random scale, %: 5", "Random brightness, %: 20", "Copies of each picture: 2"):
        assert said in page


@pytest.mark.usefixtures("_engine")
def test_answer_names_the_renamed_class(trained: ModelVersion, as_owner: Client) -> None:
    first = ImageClass.objects.order_by("pk")[0]
    as_owner.post(reverse("class_rename", args=[trained.project.slug, first.pk]), {"name": "Renamed <b>"})
    file = SimpleUploadedFile("x.jpg", make_jpeg(1))
    page = as_owner.post(reverse("classify", args=[trained.project.slug]), {"image": file}).content.decode()
    assert "Renamed &lt;b&gt;" in page
    assert "Version 1" in page


@pytest.mark.parametrize(("backbone", "size"), [("efficientnet_lite2", 260), ("net_" + 20 * "0", 224)])
def test_camera_sends_pictures_as_large_as_the_backbone_takes(
    backbone: str, size: int, trained: ModelVersion, as_owner: Client
) -> None:
    ModelVersion.objects.update(backbone=backbone)
    page = as_owner.get(reverse("classify", args=[trained.project.slug])).content.decode()
    assert f'data-size="{size}"' in page


def test_camera_has_a_row_for_each_of_a_few_classes(trained: ModelVersion, as_owner: Client) -> None:
    page = as_owner.get(reverse("classify", args=[trained.project.slug])).content.decode()
    assert re.findall('data-live-row="(.*?)"', page) == ["blue", "green", "red"]


@pytest.mark.usefixtures("_engine")
def test_ended_training_asks_for_a_picture_at_once(trained: ModelVersion, as_owner: Client) -> None:
    job = trained.job
    assert job is not None
    asks = f'action="{reverse("classify", args=[trained.project.slug])}?version={trained.number}"'
    assert asks in as_owner.get(job.get_absolute_url()).content.decode()
    Job.objects.filter(pk=job.pk).update(status="FAILED", result={})
    assert "data-classify" not in as_owner.get(job.get_absolute_url()).content.decode()


def test_what_cannot_be_classified_says_why(trained: ModelVersion, as_owner: Client) -> None:
    address = f"/api/v1/projects/{trained.project.slug}/classify"
    text = as_owner.post(address, {"image": SimpleUploadedFile("x.jpg", b"hello world")})
    assert text.status_code == 422
    assert "not a picture" in text.json()["error"]
    assert as_owner.post(address, {}).status_code == 422
    many = {"image": [SimpleUploadedFile("x.jpg", b"x") for _ in range(101)]}
    assert as_owner.post(address, many).status_code == 413
    page = as_owner.post(reverse("classify", args=[trained.project.slug]), {})
    assert page.status_code == 422
    assert "Choose a picture first" in page.content.decode()


def test_untrained_project_cannot_answer(project: Project, as_owner: Client) -> None:
    answer = as_owner.post(
        f"/api/v1/projects/{project.slug}/classify", {"image": SimpleUploadedFile("x.jpg", make_jpeg(1))}
    )
    assert answer.status_code == 409
    assert "No version of this project is live yet" in answer.json()["error"]


def test_job_page_shows_progress_and_error(filled: Project, as_owner: Client) -> None:
    from classifier.jobs import lifecycle, reporting, sending

    job = sending.queue_job(TRAIN, project=filled, by=filled.owner)
    page = as_owner.get(job.get_absolute_url()).content.decode()
    assert "Waiting" in page
    assert "No worker is running" in page
    claimed = lifecycle.claim_job(job.pk)
    assert claimed is not None
    reporting.enter_stage(claimed, "embed", total=200)
    reporting.report(claimed, done=50)
    part = as_owner.get(reverse("job_part", args=[filled.slug, job.number])).content.decode()
    assert "50 of 200 pictures" in part
    assert "left" in part
    lifecycle.fail_job(job.pk, sentence="It <broke>.", error=ValueError("secret detail"))
    page = as_owner.get(job.get_absolute_url()).content.decode()
    assert "It &lt;broke&gt;." in page
    assert "secret detail" not in page
    assert as_owner.get(f"/api/v1/jobs/{job.pk}").json()["error"] == "It <broke>."


def test_curve_is_drawn(filled: Project, as_owner: Client) -> None:
    from classifier.jobs import sending
    from classifier.models import Job

    job = sending.queue_job(TRAIN, project=filled, by=filled.owner)
    point = {"training_loss": 1.0, "validation_loss": 1.1, "validation_accuracy": 0.5}
    Job.objects.filter(pk=job.pk).update(curve=[{"step": 10, **point}, {"step": 20, **point}])
    assert as_owner.get(job.get_absolute_url()).content.decode().count("<polyline") == 3


def test_sample_project_from_an_empty_site(owner: User, as_owner: Client) -> None:
    assert "Handwritten digits" in as_owner.get("/").content.decode()
    response = as_owner.post(reverse("sample_project", args=["digits"]))
    assert response["Location"] == Upload.objects.get().get_absolute_url()
    assert as_owner.post(reverse("sample_project", args=["nothing"])).status_code == 404


def test_project_list_counts(filled: Project, as_owner: Client) -> None:
    add_pictures(filled, coloured_pictures(1, seed=99))
    assert "21 pictures" in as_owner.get("/").content.decode()
