"""Measure candidate: the last of many labels is given, and the project's page shows what it does to the accuracy."""

import time
from typing import Any

from bench.figures import Figure
from bench.photos import numbered
from bench.site import CLASSES, DEFAULTS, BenchmarkSite
from tests.site import Client, Site

PICTURES, AT_ONCE = 500, 50
REST, MORE = 5.0, 3.0  # seconds
PATIENCE, EVERY = 60.0, 0.1


def candidate(bench: BenchmarkSite) -> Figure:
    """Measure the seconds from the last of 500 labels to the figure on the page, asked for as a browser does."""
    photos = [numbered(bench.photos[place % len(bench.photos)], 3 * 10**9 + place) for place in range(PICTURES)]
    site = Site(bench.folder / "candidate", **DEFAULTS, EMBED_EARLY="true").start()
    try:
        client = site.client("bench")
        slug, ids, classes = _fill(client, photos)
        taken = _label(client, slug, ids, classes)
    finally:
        site.stop()
    return Figure("candidate", taken, "s", REST, taken / REST, f"value <= limit + {MORE:.0f}", taken <= REST + MORE)


def _fill(client: Client, photos: list[bytes]) -> tuple[str, list[int], list[int]]:
    """Bring pictures without a class into a new project, and wait until they are embedded."""
    slug = str(client.ok("POST", "/projects", {"name": "Labelled"})["slug"])
    classes = [
        int(client.ok("POST", f"/projects/{slug}/classes", {"name": f"class {place}"})["id"])
        for place in range(CLASSES)
    ]
    for start in range(0, len(photos), AT_ONCE):
        files = [("file", f"{start + place}.jpg", data) for place, data in enumerate(photos[start : start + AT_ONCE])]
        client.ok("POST", f"/projects/{slug}/uploads", {}, files)
    ids, after = [], ""
    while after is not None:
        page = client.ok("GET", f"/projects/{slug}/samples?size=200" + (f"&after={after}" if after else ""))
        ids += [one["id"] for one in page["samples"]]
        after = page.get("next")
    return slug, ids, classes


def _label(client: Client, slug: str, ids: list[int], classes: list[int]) -> float:
    """Label all pictures, the last of them after a candidate of the others is there; return the seconds it took."""
    first, last = ids[:-1], ids[-1]
    for place, image_class in enumerate(classes):
        client.ok(
            "POST", f"/projects/{slug}/samples/move", {"ids": first[place :: len(classes)], "class_id": image_class}
        )
    client.ok("PATCH", f"/projects/{slug}/settings", {"up_to_date": True})
    before = _wait(client, slug, None)
    begun = time.perf_counter()
    client.ok("POST", f"/projects/{slug}/samples/move", {"ids": [last], "class_id": classes[-1]})
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
