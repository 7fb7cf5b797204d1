"""Fine-tuning on the running site: its worker is killed in the middle, and the version answers here and elsewhere."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.datasets import make_zip
from tests.integration.test_exported_files import run_elsewhere
from tests.processes import kill_worker
from tests.site import Client, Site
from tests.textures import SLOPES, make_texture, textures

pytestmark = [pytest.mark.site, pytest.mark.timeout(300)]

EPOCHS = 25  # enough to be killed in the middle of


def test_killed_trainer_goes_on_from_its_checkpoint_and_the_version_is_exported(
    site: Site, owner: Client, tmp_path: Path
) -> None:
    slug = str(owner.ok("POST", "/projects", {"name": "Slopes"})["slug"])
    archive = [("file", "slopes.zip", make_zip(textures(300)))]
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"])
    config = {"fine_tuning": "all", "fine_tuning_epochs": EPOCHS, "fine_tuning_rate": 0.003}
    number = owner.ok("POST", f"/projects/{slug}/train", config)["job"]
    before = kill_in_the_middle(site, owner, number)

    job = owner.succeed(number, 200)
    epochs = [point["epoch"] for point in job["curve"] if "epoch" in point]
    assert epochs == list(range(len(epochs)))
    # An epoch is shown before its checkpoint is kept, so one may have been done again.
    assert shown(site, number) <= (len(epochs) - before) * 480
    version = owner.ok("GET", f"/projects/{slug}/versions/1")
    assert version["backbone"].startswith("net_")
    assert version["metrics"]["test_accuracy"] > 0.85
    site.wait(lambda: not list((site.data / "files" / "checkpoints").glob("*")), 90)

    for format in ("tflite", "frozen_graph"):
        assert agrees_elsewhere(owner, slug, format, tmp_path / format)


def kill_in_the_middle(site: Site, owner: Client, number: int) -> int:
    """Kill the worker and return how many epochs were over."""
    seen: dict[str, Any] = {}

    def tuned_a_while() -> bool:
        seen.update(owner.ok("GET", f"/jobs/{number}"))
        assert seen["status"] in ("QUEUED", "RUNNING"), seen["error"] or "it ended before it could be killed"
        return any(point.get("epoch", 0) >= 2 for point in seen["curve"])

    site.wait(tuned_a_while, 90, every=0.02)
    kill_worker(site, "trainer")
    return int(max(point.get("epoch", 0) for point in seen["curve"]))


def shown(site: Site, number: int) -> int:
    """Return how many pictures the last worker showed, by its own count."""
    found = f"Job.objects.get(pk={number}).state['measured']['fine_tuning_pictures']"
    code = f"from classifier.models import Job; print(int({found}))"
    return int(float(site.manage("shell", "--no-imports", "-c", code).stdout.split()[-1]))


def agrees_elsewhere(owner: Client, slug: str, format: str, folder: Path) -> bool:
    """Return whether the exported file predicts as the site does."""
    exported = owner.ok("POST", f"/projects/{slug}/versions/1/exports", {"format": format})
    owner.succeed(exported["job"])
    folder.mkdir()
    zipfile.ZipFile(io.BytesIO(owner.fetch(f"/projects/{slug}/versions/1/exports/{format}"))).extractall(folder)
    pictures = [folder / f"{number}.png" for number in range(4)]
    for number, path in enumerate(pictures):
        path.write_bytes(make_texture(7000 + number, number % 2))
    said = run_elsewhere(folder / f"{slug}-v1-{format}", "classify.py", *map(str, pictures))
    best = {row.split("\t")[0]: row.split("\t")[1] for row in reversed(said.splitlines())}
    sent = [("image", path.name, path.read_bytes()) for path in pictures]
    here = owner.ok("POST", f"/projects/{slug}/classify", {}, sent)["predictions"]
    answered = [best[str(path)] for path in pictures]
    return answered == [one["classes"][0]["name"] for one in here] and set(answered) <= set(SLOPES)
