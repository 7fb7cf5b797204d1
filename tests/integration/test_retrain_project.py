"""`retrain --project`: dataset version, job and model version on the site, with and without a running one."""

import json
from pathlib import Path

import pytest

from tests.datasets import COLOURS, coloured_pictures
from tests.pictures import make_jpeg
from tests.site import Client, Site

pytestmark = pytest.mark.site


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name, data in coloured_pictures(8).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def flags(photos: Path, out: Path, slug: str) -> list[str]:
    given = {
        "project": slug,
        "image_dir": photos,
        "architecture": "testing",
        "output_graph": out / "graph.pb",
        "output_labels": out / "labels.txt",
        "summaries_dir": out / "logs",
        "checkpoint_path": out / "checkpoint",
        "how_many_training_steps": 60,
    }
    return [f"--{name}={value}" for name, value in given.items()]


def test_without_a_running_site(photos: Path, data: Path, prepared: Path, tmp_path: Path) -> None:
    """Let the command do all of the work itself, without broker and worker."""
    site = Site(data, prepared=prepared)
    site.manage("migrate", "-v0")
    site.manage("create_api_key", "owner", "--create-user")
    site.manage("import_dataset", str(photos), "--project=colours", "--create=Colours", "--owner=owner")
    done = site.manage("retrain", *flags(photos, tmp_path, "colours"))
    lines = done.stdout.splitlines()
    assert "Version 1 of the project colours (job 1)" in lines
    assert any(line.startswith("Step 60: Validation accuracy = ") for line in lines)
    assert lines[-1].startswith("Final test accuracy = ")
    (tmp_path / "red.jpg").write_bytes(make_jpeg(4711, colour=COLOURS["red"]))
    picture = ["--json", str(tmp_path / "red.jpg")]
    named = site.manage("label_image", f"--graph={tmp_path / 'graph.pb'}", *picture)
    assert json.loads(named.stdout)["classes"][0]["name"] == "red"
    (artifact,) = (data / "files" / "artifacts").iterdir()
    named = site.manage("label_image", f"--graph={artifact}", *picture)
    assert json.loads(named.stdout)["classes"][0]["name"] == "red"
    assert list((tmp_path / "logs").glob("*/events.out.tfevents.*"))
    again = site.manage("retrain", *flags(photos, tmp_path, "colours"))
    assert again.stdout.startswith("Nothing changed since it was trained: version 1 of the project colours (job ")
    assert "job_ended" not in again.stderr


def test_beside_a_running_site(photos: Path, site: Site, owner: Client, tmp_path: Path) -> None:
    slug = owner.ok("POST", "/projects", {"name": "From the terminal"})["slug"]
    done = site.manage("retrain", *flags(photos, tmp_path, slug))
    assert f"Version 1 of the project {slug}" in done.stdout
    (version,) = owner.ok("GET", f"/projects/{slug}/versions")
    assert (version["config"]["recipe"], version["config"]["steps"], version["live"]) == ("sgd", 60, True)
    found = owner.ok("GET", f"/projects/{slug}/jobs")
    assert {job["status"] for job in found} == {"SUCCEEDED"}


def test_project_that_is_not_there(site: Site, photos: Path, tmp_path: Path) -> None:
    done = site.manage("retrain", *flags(photos, tmp_path, "nowhere"), check=False)
    assert done.returncode == 1
    assert "There is no project 'nowhere' on this site." in done.stderr
