"""Measure what growing costs, or simulate it: `python -m bench.growing workers|simulate`.

`workers` needs root and the services of `.ci/services.sh`. It runs one, two and four machines of one core, each with a
name and a data folder of its own, over one PostgreSQL, Redis and S3, and prints pictures a second, the CPU time of the
services, and the bytes in the database. With `--share 0.7` each machine has seven tenths of a core (cgroups of version
1), so that what all of them share need not take theirs. `simulate` needs nothing.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

from bench.caching_proxy import CachingProxy
from bench.growing_simulation import print_simulation
from bench.site import BenchmarkSite
from tests.site import ROOT, Site

PICTURES = 512  # four chunks: as many as there are machines at most
ROUNDS = 2
MACHINES = (1, 2, 4)
PROBED = 20_000
PERIOD = 100_000  # microseconds, in which a machine may use its share of a core
TABLES = ("image", "imagemeasures", "sample", "embedding", "uploaditem", "job")


class Machine(Site):
    """A machine of one core, or a share of it, with a folder and a name of its own, that embeds."""

    def __init__(self, folder: Path, number: int, env: dict[str, str], share: float) -> None:
        super().__init__(folder / f"machine-{number}", **{**env, "EMBED_WORKERS": "1"})
        self.env |= {"POETSWEB_DATA": str(self.data), "PORT": str(self.port)}
        self.group = Path(f"/sys/fs/cgroup/cpu/poetsweb-{os.getpid()}-{number}") if share < 1 else None
        joins = ""
        if self.group:
            self.group.mkdir()
            (self.group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (self.group / "cpu.cfs_quota_us").write_text(str(round(share * PERIOD)))
            joins = f"echo $$ > {self.group}/cgroup.procs && "
        named = f'{joins}hostname machine-{number} && exec taskset -c {number % (os.cpu_count() or 1)} "$0" "$@"'
        self.command = ["unshare", "--uts", "sh", "-c", named, sys.executable, "manage.py", "serve", "worker"]

    def start(self) -> "Machine":
        """Start it, and return when its worker is there."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        living = "from classifier.workers import list_workers; print(*list_workers())"
        self.wait(lambda: f"@{self.data.name}" in self.manage("shell", "-c", living).stdout, 90)
        return self

    def stop(self) -> int:
        """Stop it, and return its exit status."""
        status = super().stop()
        if self.group:
            self.wait(lambda: not (self.group / "cgroup.procs").read_text())
            self.group.rmdir()
        return status


def measure_workers(share: float) -> None:
    """Measure embedding by one, two and four machines of a share of a core, then the sizes of what they wrote."""
    with tempfile.TemporaryDirectory(prefix="poetsweb-growing-") as folder:
        bench = BenchmarkSite(Path(folder))
        services = _services()
        objects = CachingProxy(services["S3_ENDPOINT_URL"], Path(folder) / "objects")
        shared = {"SECRET_KEY": "the-same-on-all-machines", "POETSWEB_BACKBONE": "", "S3_ENDPOINT_URL": objects.address}
        bench.site.env |= services | shared | {"WEB_WORKERS": "1"}
        os.environ.update({**services, **shared})
        bench.site.command += ["web", "trainer", "opener", "reaper"]
        machines: list[Machine] = []
        try:
            _measure_each(bench, machines, share)
            _print_sizes()
            _print_matrix(Path(folder))
        finally:
            for machine in machines:
                machine.stop()
            bench.close()
            objects.stop()


def _services() -> dict[str, str]:
    """Return the settings of one database, Redis and bucket, which are made at the first call."""
    from tests.services import site_services

    if not _SERVICES:
        _SERVICES.update(site_services())
        if not all(_SERVICES[name] for name in ("DATABASE_URL", "REDIS_URL", "S3_BUCKET")):
            raise SystemExit("PostgreSQL, Redis and S3 are needed: . .ci/services.sh; start_services")
    return _SERVICES


_SERVICES: dict[str, str] = {}


def _measure_each(bench: BenchmarkSite, machines: list[Machine], share: float) -> None:
    slug, seeds = "", iter(range(1, 1000))
    for count in MACHINES:
        while len(machines) < count:
            machines.append(Machine(bench.folder, len(machines), bench.site.env, share))
            if len(machines) == 1:
                bench.client  # noqa: B018 - the site makes the tables
            machines[-1].start()
        if not slug:
            slug = bench.new_project("Growing")
            bench.finish(bench.send_zip(slug, PICTURES))
        _embed(bench, slug, next(seeds))  # warms the new machines up
        found = [_embed(bench, slug, next(seeds)) for _ in range(ROUNDS)]
        print(f"{count} machine(s): {median(rate for rate, _ in found):.1f} pictures/s", end="; rounds ")
        print(*(f"{rate:.1f}" for rate, _ in found), end="; CPU ms a picture: ")
        shares = {name: median(used[name] for _, used in found) for name in found[0][1]}
        print(", ".join(f"{name} {1000 * used / PICTURES:.2f}" for name, used in shares.items()), end="; load ")
        print(f"{os.getloadavg()[0]:.1f}", flush=True)


def _embed(bench: BenchmarkSite, slug: str, seed: int) -> tuple[float, dict[str, float]]:
    """Return the pictures per second from the first to the last chunk, and the CPU seconds of the services."""
    from classifier.models import Embedding, Job

    Embedding.objects.filter(image__samples__project__slug=slug).delete()
    before = _cpu_seconds(bench.site)
    job = bench.finish(bench.train(slug, seed=seed))
    after = _cpu_seconds(bench.site)
    children = list(Job.objects.filter(parent=job))
    begun, ended = min(one.created_at for one in children), max(one.finished_at for one in children)
    if sum(one.result["computed"] for one in children) != PICTURES:
        raise RuntimeError("Not all embeddings were computed anew.")
    return PICTURES / (ended - begun).total_seconds(), {name: after[name] - before[name] for name in before}


def _cpu_seconds(site: Site) -> dict[str, float]:
    """Return the CPU seconds so far of what is no worker; the trainer counts to the web machine."""
    assert site.process is not None
    groups: dict[str, list[psutil.Process]] = {"PostgreSQL": [], "Redis": [], "S3": []}
    for process in psutil.process_iter(["name", "cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        for name, word in (
            ("PostgreSQL", "postgres"),
            ("Redis", "redis-server"),
            ("S3", "nginx"),
            ("S3", "moto.server"),
        ):
            if process.info["name"].startswith(word) or (name == "S3" and word in line):
                groups[name].append(process)
    own = psutil.Process(site.process.pid)
    groups["web and trainer"] = [own, *own.children(recursive=True)]
    return {name: sum(_used(one) for one in found) for name, found in groups.items()}


def _used(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _print_sizes() -> None:
    """Print the bytes of a row of each table, with its indexes; small tables are mostly their first pages."""
    from django.db import connection

    with connection.cursor() as cursor:
        for table in TABLES:
            name = f"classifier_{table}"
            cursor.execute(f"VACUUM FULL {name}")
            cursor.execute(f"SELECT pg_total_relation_size(%s), count(*) FROM {name}", [name])
            size, rows = cursor.fetchone()
            print(f"{table}: {rows} rows, {size / max(rows, 1):.0f} bytes a row")


def _print_matrix(folder: Path) -> None:
    """Print how long vectors take to be read from a table like that of embeddings, and from one file."""
    from django.db import connection

    matrix = np.random.default_rng(0).random((PROBED, 1280), np.float32)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE probe (id bigserial PRIMARY KEY, vector bytea)")
        cursor.executemany("INSERT INTO probe (vector) VALUES (%s)", [(row.tobytes(),) for row in matrix])
        cursor.execute("SELECT pg_total_relation_size('probe')")
        size = cursor.fetchone()[0]
        from_rows = median(_seconds(lambda: _read_rows(cursor)) for _ in range(3))
    matrix.tofile(folder / "shard")
    from_file = median(_seconds(lambda: np.fromfile(folder / "shard", np.float32)) for _ in range(3))
    print(
        f"{PROBED} vectors: {from_rows:.2f} s from rows of {size / PROBED:.0f} bytes, {from_file:.3f} s from one file"
    )


def _read_rows(cursor: Any) -> None:
    cursor.execute("SELECT vector FROM probe ORDER BY id")
    np.frombuffer(b"".join(row[0] for row in cursor.fetchall()), np.float32)


def _seconds(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main(arguments: list[str]) -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser("python -m bench.growing", description="Measure or simulate what growing costs.")
    parser.add_argument("what", choices=("workers", "simulate"))
    parser.add_argument("--share", type=float, default=1.0, help="of a core for each machine, from 0 to 1")
    asked = parser.parse_args(arguments)
    if asked.what == "simulate":
        print_simulation()
    else:
        measure_workers(asked.share)


if __name__ == "__main__":
    main(sys.argv[1:])
