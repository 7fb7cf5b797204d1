"""`hub.load` in a process that knows nothing of us, against the running site."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_whole_path import make_trained_project
from tests.site import Client, Site

pytestmark = pytest.mark.site

# For each address a line: what it gives for two grey pictures, or why it was refused.
LOAD = """
import sys
import urllib.error
import numpy as np
import tensorflow_hub as hub
pictures = np.full((2, 32, 32, 3), 0.5, np.float32)
for address in sys.argv[1:]:
    try:
        loaded = hub.load(address)
    except urllib.error.HTTPError as error:
        print(error.code)
        continue
    answer = loaded(pictures).numpy()
    assert np.array_equal(loaded.signatures["default"](images=pictures)["default"], answer)
    print(answer.shape, round(float(answer[0].sum()), 3))
assert "django" not in sys.modules
"""


def load(folder: Path, *addresses: str) -> list[str]:
    folder.mkdir()  # a cache of its own, or what was loaded once would be given again
    env = {"TFHUB_CACHE_DIR": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", LOAD, *addresses]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_hub_loads_a_version_for_whom_it_is(site: Site, owner: Client, stranger: Client, tmp_path: Path) -> None:
    slug, _ = make_trained_project(owner, "Served for Hub")
    address, version = f"{site.address}/hub/{slug}/live", f"/projects/{slug}/versions/1"
    mine, link = f"{address}?key={owner.key}", owner.ok("POST", f"{version}/public-link")["url"]
    assert load(tmp_path / "before", mine, link) == ["409", "409"]  # nothing was made yet
    job = owner.wait_job(owner.ok("POST", f"{version}/exports", {"format": "tf_hub"})["job"])
    assert job["status"] == "SUCCEEDED", job["error"]

    others = [f"{address}?key={stranger.key}", f"{address}?key=wrong", address]
    assert load(tmp_path / "made", mine, link, *others) == ["(2, 3) 1.0", "(2, 3) 1.0", "404", "401", "401"]
    owner.ok("DELETE", f"{version}/public-link")
    assert load(tmp_path / "revoked", link) == ["404"]
    assert not [secret for secret in (owner.key, stranger.key, link) if secret in site.log.read_text()]


def test_hub_loads_a_backbone_that_is_made_meanwhile(site: Site, stranger: Client, tmp_path: Path) -> None:
    address = f"{site.address}/hub/backbones/testing/1"
    mine = f"{address}?key={stranger.key}"
    assert load(tmp_path / "before", address, mine) == ["401", "503"]
    site.wait(lambda: list((site.data / "files" / "hub").glob("*.tar.gz")), 60)
    (answer,) = load(tmp_path / "made", mine)
    assert answer.startswith("(2, 48) ")
