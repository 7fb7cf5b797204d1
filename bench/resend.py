"""Measure resend_known: a folder of pictures that are all there is chosen again, and only asked about."""

import hashlib
import time
from collections.abc import Callable

from bench.figures import Figure, compare
from bench.photos import numbered
from bench.site import CLASSES, BenchmarkSite

PICTURES, AT_ONCE = 2000, 20  # files in one request while they are sent for the first time
ROUNDS = 5
MOST, SLOWEST = 5.0, 2.0


def resend_known(bench: BenchmarkSite) -> Figure:
    """Measure the seconds to hash the folder and ask, beside hashing it and a request that asks for nothing."""
    slug = bench.new_project("Sent again")
    photos = [numbered(bench.photos[place % len(bench.photos)], 3 * 10**9 + place) for place in range(PICTURES)]
    for start in range(0, PICTURES, AT_ONCE):
        files = [("file", f"{start + place}.jpg", photo) for place, photo in enumerate(photos[start : start + AT_ONCE])]
        bench.client.ok("POST", f"/projects/{slug}/uploads", {"class": f"class {start // AT_ONCE % CLASSES}"}, files)

    def ask(sha256s: Callable[[list[str]], list[str]], expected: int) -> float:
        begun = time.perf_counter()
        hashes = [hashlib.sha256(photo).hexdigest() for photo in photos]
        answer = bench.client.ok("POST", f"/projects/{slug}/known", {"sha256s": sha256s(hashes)})
        took = time.perf_counter() - begun
        if len(answer["known"]) != expected:
            raise RuntimeError("Not all pictures are known.")
        return took

    found = compare(lambda: ask(lambda hashes: hashes, PICTURES), [[lambda: ask(lambda hashes: [], 0)]], rounds=ROUNDS)
    ok = found.real <= MOST and found.ratio <= SLOWEST
    target = f"value <= {MOST:.0f} and ratio <= {SLOWEST:.1f}"
    return Figure("resend_known", found.real, "s", found.limit, found.ratio, target, ok)
