"""A backup of a site whose files are in a bucket lists them, and a restored site tells what the bucket lost since."""

import io
import json
from pathlib import Path

import pytest
from django.conf import settings as site
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command

from classifier.models import Image, ModelVersion
from tests.unit.classifier.test_backups import _allowed, ask, empty_site, everything, fill, run, target

__all__ = ["_allowed", "target"]  # fixtures

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not site.S3_BUCKET, reason="There is no bucket for tests here."),
]


def test_listed_files_are_found_again(trained: ModelVersion, target: Path) -> None:
    fill(trained)
    before, answers = everything(), ask(trained)
    run("backup", target)
    assert not (target / "files").exists()
    listed = [json.loads(line) for line in (target / "files.jsonl").read_text().splitlines()]
    assert {image.path for image in Image.objects.all()} <= {one["path"] for one in listed}
    assert all(one["size"] and one["etag"] for one in listed)
    empty_site()
    assert "0 missing or damaged" in run("restore", target)
    assert everything() == before
    assert ask(ModelVersion.objects.get(pk=trained.pk)) == answers


@pytest.mark.parametrize("how", ["lost", "changed"])
def test_what_the_bucket_lost_since_is_told(trained: ModelVersion, target: Path, how: str) -> None:
    run("backup", target)
    empty_site()
    listed = [json.loads(line)["path"] for line in (target / "files.jsonl").read_text().splitlines()]
    picture = next(path for path in listed if path.startswith("images/"))
    default_storage.delete(picture)
    if how == "changed":
        default_storage.save(picture, ContentFile(b"other"))
    said = io.StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("restore", str(target), stdout=said, stderr=said)
    assert "1 missing or damaged" in said.getvalue()
    assert picture in said.getvalue()
