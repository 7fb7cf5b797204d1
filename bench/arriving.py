"""Measure train_after_upload: Train is pressed as the last of many pictures is in, which came at a steady rate."""

import time
from statistics import median
from typing import Any

from bench.figures import Figure
from bench.photos import numbered
from bench.site import CLASSES, DEFAULTS, BenchmarkSite
from tests.site import Client, Site

PICTURES, AT_ONCE = 1000, 10  # in one request
RATE, SHARE = 50.0, 0.4  # pictures a second, and of those that the machine embeds: a slow one is sent fewer
WARMING, WARM_ROUNDS = 100, 3
RAW_PICTURES = 160
MORE = 3.0  # seconds


def train_after_upload(bench: BenchmarkSite) -> Figure:
    """Measure the seconds from the press to the new live version, beside a training whose embeddings are cached."""
    photos = [
        numbered(bench.photos[place % len(bench.photos)], 2 * 10**9 + place) for place in range(WARMING + PICTURES)
    ]
    rate = min(RATE, SHARE / min(way() for way in bench.raw.ways("answer", RAW_PICTURES)))
    site = Site(bench.folder / "arriving", **DEFAULTS, EMBED_EARLY="true").start()
    try:
        client = site.client("bench")
        _train(client, _send(client, "First", photos[:WARMING], rate), 0)  # as for all other figures
        slug = _send(client, "Arriving", photos[WARMING:], rate)
        real = _train(client, slug, 0)
        warm = median(_train(client, slug, seed) for seed in range(1, 1 + WARM_ROUNDS))
    finally:
        site.stop()
    ok = real - warm <= MORE
    return Figure("train_after_upload", real, "s", warm, real / warm, f"value <= limit + {MORE:.0f}", ok)


def _send(client: Client, name: str, photos: list[bytes], rate: float) -> str:
    """Send the pictures to a new project as a browser does, a few at a time, and return its slug."""
    slug = str(client.ok("POST", "/projects", {"name": name})["slug"])
    begun = time.monotonic()
    for start in range(0, len(photos), AT_ONCE):
        time.sleep(max(0.0, begun + start / rate - time.monotonic()))
        files = [("file", f"{start + place}.jpg", photo) for place, photo in enumerate(photos[start : start + AT_ONCE])]
        client.ok("POST", f"/projects/{slug}/uploads", {"class": f"class {start // AT_ONCE % CLASSES}"}, files)
    return slug


def _train(client: Client, slug: str, seed: int) -> float:
    begun = time.perf_counter()
    wanted: dict[str, Any] = {"promote": True, "force": True, "seed": seed}
    job = client.wait_job(client.ok("POST", f"/projects/{slug}/train", wanted)["job"], 120)
    if job["status"] != "SUCCEEDED":
        raise RuntimeError(f"The training ended as {job['status']}: {job['error']}")
    return time.perf_counter() - begun
