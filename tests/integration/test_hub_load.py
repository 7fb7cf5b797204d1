"""`hub.load` in a process that knows nothing of us, against the running site."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.integration.test_whole_path import make_trained_project
from tests.site import Client, Site

pytestmark = pytest.mark.site

# For each line it reads, a cache and an address, it writes one: what that gives for two grey pictures, or why it was
# refused. One process for all, as TensorFlow takes long to load.
LOAD = """
import os, sys
import urllib.error
import numpy as np
import tensorflow_hub as hub
pictures = np.full((2, 32, 32, 3), 0.5, np.float32)
assert "django" not in sys.modules
for line in sys.stdin:
    os.environ["TFHUB_CACHE_DIR"], address = line.split()
    try:
        loaded = hub.load(address)
    except urllib.error.HTTPError as error:
        print(error.code, flush=True)
        continue
    answer = loaded(pictures).numpy()
    assert np.array_equal(loaded.signatures["default"](images=pictures)["default"], answer)
    print(answer.shape, round(float(answer[0].sum()), 3), flush=True)
"""

Load = Callable[..., list[str]]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """Give a function that returns what each address holds.

    Each call has caches of its own, or it would return what was loaded before.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    env = {"TF_CPP_MIN_LOG_LEVEL": "3"}
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", LOAD],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None

    def load(*addresses: str) -> list[str]:
        cache = tmp_path_factory.mktemp("cache")
        found = []
        for address in addresses:
            print(cache, address, file=process.stdin, flush=True)
            found.append(process.stdout.readline().strip())
            assert found[-1], (folder / "errors").read_text()[-2000:]
        return found

    yield load
    process.stdin.close()
    assert process.wait(30) == 0
    process.stdout.close()


def test_hub_loads_a_version_for_whom_it_is(site: Site, owner: Client, stranger: Client, load: Load) -> None:
    slug, _ = make_trained_project(owner, "Served for Hub")
    address, version = f"{site.address}/hub/{slug}/live", f"/projects/{slug}/versions/1"
    mine, link = f"{address}?key={owner.key}", owner.ok("POST", f"{version}/public-link")["url"]
    assert load(mine, link) == ["409", "409"]  # nothing was made yet
    owner.succeed(owner.ok("POST", f"{version}/exports", {"format": "tf_hub"})["job"])

    others = [f"{address}?key={stranger.key}", f"{address}?key=wrong", address]
    assert load(mine, link, *others) == ["(2, 3) 1.0", "(2, 3) 1.0", "404", "401", "401"]
    owner.ok("DELETE", f"{version}/public-link")
    assert load(link) == ["404"]
    assert not [secret for secret in (owner.key, stranger.key, link) if secret in site.log.read_text()]


def test_hub_loads_a_backbone_that_is_made_meanwhile(site: Site, stranger: Client, load: Load) -> None:
    address = f"{site.address}/hub/backbones/testing/1"
    mine = f"{address}?key={stranger.key}"
    assert load(address, mine) == ["401", "503"]
    answers: list[str] = []

    def made() -> bool:
        answers[:] = load(mine)
        return answers != ["503"]

    site.wait(made, 60, every=1)
    assert answers[0].startswith("(2, 48) ")
