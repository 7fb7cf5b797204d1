"""Training with a backbone whose weights come with no package: without them, and with a file put there by hand."""

import pytest

from tests.datasets import COLOURS, coloured_pictures, make_zip
from tests.pictures import make_jpeg
from tests.site import Client, Site
from tests.weights_files import MOBILENET, MOBILENET_FILE, make_mobilenet, write_weights

pytestmark = pytest.mark.site


@pytest.fixture(scope="module")
def slug(owner: Client) -> str:
    slug = str(owner.ok("POST", "/projects", {"name": "Downloaded backbones"})["slug"])
    archive = [("file", "colours.zip", make_zip(coloured_pictures(6)))]
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"])
    return slug


def train(owner: Client, slug: str) -> dict[str, object]:
    return owner.wait_job(owner.ok("POST", f"/projects/{slug}/train", {"backbone": MOBILENET})["job"])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
def test_without_network_and_then_by_hand(slug: str, owner: Client, site: Site) -> None:
    job = train(owner, slug)
    assert job["status"] == "FAILED"
    assert f"The weights {MOBILENET_FILE} could not be downloaded" in str(job["error"])
    assert "copy the file into the folder “weights” in the data folder" in str(job["error"])
    assert str(site.data) not in str(job["error"])

    write_weights(make_mobilenet(), site.data / "weights" / MOBILENET_FILE)
    job = train(owner, slug)
    assert job["status"] == "SUCCEEDED", job["error"]
    pictures = [("image", f"{name}.jpg", make_jpeg(4711, colour=colour)) for name, colour in COLOURS.items()]
    answer = owner.ok("POST", f"/projects/{slug}/classify", {}, pictures)
    assert [found["classes"][0]["name"] for found in answer["predictions"]] == list(COLOURS)

    owner.succeed(owner.ok("POST", f"/projects/{slug}/versions/1/exports", {"format": "frozen_graph"})["job"])
