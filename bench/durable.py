"""Measure durable_ingest: one picture sent by itself, acknowledged once it would survive a power cut."""

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure
from bench.load import OverHttp, Target, ask_target, upload_target
from bench.photos import numbered
from bench.site import BenchmarkSite
from ml.images.decoding import verify_image

TURNS = 200
SLOWEST, MORE = 1.5, 0.004


@dataclass(frozen=True)
class DurableWrite:
    """The same without a site: verified, written, synced with its folder, and a row committed."""

    photos: list[bytes]
    folder: Path

    def begin(self) -> Callable[[int], float]:
        """Open a database, and return the function that takes in one picture."""
        self.folder.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.folder / "rows.sqlite3", isolation_level=None, check_same_thread=False)
        for line in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE IF NOT EXISTS rows (sha256)"):
            database.execute(line)

        def once(turn: int) -> float:
            begun = time.perf_counter()
            photo = self.photos[turn % len(self.photos)]
            sha256 = verify_image(photo).sha256
            _write_synced(self.folder / sha256, photo)
            database.execute("INSERT INTO rows VALUES (?)", (sha256,))
            return time.perf_counter() - begun

        return once


def _write_synced(path: Path, data: bytes) -> None:
    aside = path.with_suffix(".aside")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def durable_ingest(bench: BenchmarkSite) -> Figure:
    """Measure the milliseconds until a single picture is acknowledged.

    The limit is the same work without a site, and a call over the API that keeps nothing.
    """
    slug = bench.new_project("One by one")
    photos = [numbered(bench.photos[0], 10**9 + number) for number in range(2 * TURNS)]
    sent: Target = upload_target(bench.site.port, slug, bench.client.key, photos)
    asked = ask_target(bench.site.port, slug, bench.client.key)
    ways = [OverHttp(sent), OverHttp(asked), DurableWrite(photos, bench.folder / "durable")]
    real, call, work = bench.load.medians_in_turns(ways, TURNS)
    limit = work + call
    ok = real / limit <= SLOWEST or real - limit <= MORE
    target = f"ratio <= {SLOWEST}, or {MORE * 1000:.0f} ms more"
    return Figure("durable_ingest", real * 1000, "ms", limit * 1000, real / limit, target, ok)
