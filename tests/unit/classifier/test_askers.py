"""Test for whom the site reads pictures: the owner of a key or session, however many of them there are."""

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from classifier.models import ModelVersion
from classifier.services.accounts import create_api_key
from ml.images.budget import TooBusy
from ml.images.decoding import ImageLimits
from ml.serving import batches
from ml.serving.askers import current_asker
from ml.serving.inference import LocalInference
from tests.pictures import make_jpeg


class Listening(LocalInference):
    """Inference that notes for whom it is asked, where it would wait."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.names = names

    def features(self, *arguments: object, **options: object) -> object:  # type: ignore[override]
        (limits,) = [one for one in arguments if isinstance(one, ImageLimits)]
        if not limits.wait_seconds:
            raise TooBusy
        self.names.append(current_asker()())
        return super().features(*arguments, **options)  # type: ignore[arg-type]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    listening = Listening(heard)
    monkeypatch.setattr(batches, "inference", lambda: listening)
    return heard


def test_pictures_are_read_for_the_owner_of_key_and_session(
    trained: ModelVersion, owner: User, as_owner: Client, names: list[str]
) -> None:
    slug = trained.project.slug
    for keys in range(2):
        _, key = create_api_key(owner, f"key {keys}")
        files = [SimpleUploadedFile(f"{number}.jpg", make_jpeg(number)) for number in range(3)]
        for call in (files, files[:1]):
            answer = Client().post(
                f"/api/v1/projects/{slug}/classify", {"image": call}, headers={"Authorization": f"Bearer {key}"}
            )
            assert answer.status_code == 200
            for file in files:
                file.seek(0)
    page = as_owner.post(f"/projects/{slug}/classify/", {"image": SimpleUploadedFile("1.jpg", make_jpeg(1))})
    assert page.status_code == 200
    assert set(names) == {f"user {owner.pk}"}
    assert len(names) == 2 * (3 + 1) + 1
