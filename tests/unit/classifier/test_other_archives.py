"""Archives that are not read are told plainly: by the page before they are sent, and by the API."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from classifier.models import Project, Upload
from ml.datasets.names import ARCHIVE_SUFFIXES


@pytest.mark.parametrize("name", ["a.7z", "a.RAR"])
def test_api_tells_what_is_not_read(client: Client, project: Project, name: str) -> None:
    client.force_login(project.owner)
    data = {"file": SimpleUploadedFile(name, b"Rar!"), "class": "cat"}
    answer = client.post(f"/api/v1/projects/{project.slug}/uploads", data)
    assert answer.status_code == 422
    assert "RAR and 7z archives cannot be read" in answer.content.decode()
    assert not Upload.objects.exists()


def test_page_names_the_endings_that_are_read_and_the_others(client: Client, project: Project) -> None:
    client.force_login(project.owner)
    page = client.get(project.get_absolute_url()).content.decode()
    assert f'data-archives="{",".join(ARCHIVE_SUFFIXES)}"' in page
    assert 'data-others=".7z,.rar' in page
    assert "RAR and 7z archives cannot be read" in page
