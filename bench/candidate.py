"""Measure candidate: the last of many labels is given, and the project's page shows what it does to the accuracy."""

import time
from typing import Any

from bench.figures import Figure
from bench.photos import numbered
from bench.site import CLASSES, DEFAULTS, BenchmarkSite
from tests.site import Client, Site

PICTURES, AT_ONCE = 500, 50
REST, MORE = 5.0, 3.0  # seconds
PATIENCE, EVERY = 120.0, 0.1


def candidate(bench: BenchmarkSite) -> Figure:
    """Measure the seconds from the last of 500 labels to the figure on the page, asked for as a browser does."""
    photos = [numbered(bench.photos[place % len(bench.photos)], 3 * 10**9 + place) for place in range(PICTURES)]
    site = Site(bench.folder / "candidate", **DEFAULTS, EMBED_EARLY="true")
    try:
        client = site.start().client("bench")
        taken = _label_last(client, _fill(client, photos))
    finally:
        site.stop()
    return Figure("candidate", taken, "s", REST, taken / REST, f"value <= limit + {MORE:.0f}", taken <= REST + MORE)


def _fill(client: Client, photos: list[bytes]) -> str:
    """Bring labelled pictures into a new project, and return its slug."""
    slug = str(client.ok("POST", "/projects", {"name": "Labelled"})["slug"])
    for start in range(0, len(photos), AT_ONCE):
        files = [("file", f"{start + place}.jpg", data) for place, data in enumerate(photos[start : start + AT_ONCE])]
        client.ok("POST", f"/projects/{slug}/uploads", {"class": f"class {start // AT_ONCE % CLASSES}"}, files)
    return slug


def _label_last(client: Client, slug: str) -> float:
    """Give a picture its last label, once there is a figure for the others; return the seconds until the next one."""
    client.ok("PATCH", f"/projects/{slug}/settings", {"up_to_date": True})
    before = _wait(client, slug, None)
    last = client.ok("GET", f"/projects/{slug}/samples?size=1")["samples"][0]
    classes = [one["id"] for one in client.ok("GET", f"/projects/{slug}")["classes"]]
    other = next(pk for pk in classes if pk != last["class_id"])
    begun = time.perf_counter()
    client.ok("POST", f"/projects/{slug}/samples/move", {"ids": [last["id"]], "class_id": other})
    _wait(client, slug, before)
    return time.perf_counter() - begun


def _wait(client: Client, slug: str, before: Any) -> Any:
    """Wait until there is another figure than before, and return which."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = client.ok("GET", f"/projects/{slug}/candidate")
        if found["artifact_digest"] not in (None, before) and not found["training"]:
            return found["artifact_digest"]
        time.sleep(EVERY)
    raise RuntimeError(f"There is no candidate after {PATIENCE:.0f} s: {found}")
