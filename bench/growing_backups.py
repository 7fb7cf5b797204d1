"""Count consistent backups under load: `python -m bench.growing_backups [--pictures N] [--tries N] [--seconds N]`.

Pictures are added, deleted for good, classified and trained on, while the site is backed up; each backup is restored
into an empty folder, where `check_files` must find nothing missing or damaged, and as many samples as the site had in
between.
"""

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.datasets import coloured_pictures, make_zip
from tests.services import site_services
from tests.site import ROOT, Client, Site

COUNT = "from classifier.models import Sample; print(Sample.objects.count())"
COLOURS = 3  # classes that `coloured_pictures` draws


@contextmanager
def load(client: Client, slug: str) -> Iterator[dict[str, int]]:
    """Add, delete, classify and train again and again, and count what was done and what failed."""
    stop, pictures = threading.Event(), _pictures()
    done = dict.fromkeys(("add", "delete", "classify", "train", "failed"), 0)
    seeds = itertools.count(1)
    question = [("image", "one.png", next(iter(coloured_pictures(1, seed=9).values())))]

    def add() -> None:
        name, data = next(pictures)
        client.ok("POST", f"/projects/{slug}/uploads", {"class": name.partition("/")[0]}, [("file", name, data)])

    def delete() -> None:
        newest = client.ok("GET", f"/projects/{slug}/samples?size=1")["samples"][0]["id"]
        client.ok("POST", f"/projects/{slug}/samples/erase", {"ids": [newest]})
        time.sleep(0.5)

    acts: dict[str, Callable[[], Any]] = {
        "add": add,
        "delete": delete,
        "classify": lambda: client.ok("POST", f"/projects/{slug}/classify", {}, question),
        "train": lambda: client.succeed(
            client.ok("POST", f"/projects/{slug}/train", {"seed": next(seeds)})["job"], 240
        ),
    }

    def repeat(name: str) -> None:
        while not stop.is_set():
            try:
                acts[name]()
                done[name] += 1
            except Exception as error:  # whatever it is, somebody would have seen it
                done["failed"] += 1
                if done["failed"] in (1, 10, 100, 1000):
                    print(f"{done['failed']}: {name} failed: {str(error)[:300]}", flush=True)
            time.sleep(0.05)

    threads = [threading.Thread(target=repeat, args=(name,), daemon=True) for name in acts]
    for thread in threads:
        thread.start()
    yield done
    stop.set()
    for thread in threads:
        thread.join(5)


def _pictures() -> Iterator[tuple[str, bytes]]:
    for seed in itertools.count(10**6):
        yield from coloured_pictures(10, seed=seed).items()


def attempt(site: Site, folder: Path, done: dict[str, int]) -> tuple[bool, float, float]:
    """Back up, restore and check; return whether all is there, and the seconds of backup and of the rest."""
    deleted = done["delete"]
    before = int(site.manage("shell", "-c", COUNT).stdout.split()[-1])
    begun = time.perf_counter()
    site.manage("backup", str(folder / "backup"))
    backed_up = time.perf_counter() - begun
    after = int(site.manage("shell", "-c", COUNT).stdout.split()[-1])
    deleted = done["delete"] - deleted + 1  # with the one in hand
    env = {**site.env, **site_services(), "POETSWEB_DATA": str(folder / "restored")}

    def there(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    restored, checked = there("restore", str(folder / "backup")), there("check_files")
    counted = there("shell", "-c", COUNT).stdout.split()
    took = time.perf_counter() - begun - backed_up
    there_are = int((counted or ["-1"])[-1])
    whole = restored.returncode == checked.returncode == 0 and before - deleted <= there_are <= after + deleted
    if not whole:
        print(restored.stderr[-500:], checked.stdout[-500:], before, counted, after, flush=True)
    for name in ("backup", "restored"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return whole, backed_up, took


def main(arguments: list[str]) -> None:
    """Try as often as there is time, and print each try."""
    parser = argparse.ArgumentParser("python -m bench.growing_backups", description="Count consistent backups.")
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3600, help="no try begins later")
    flags = parser.parse_args(arguments)
    until = time.monotonic() + flags.seconds
    with tempfile.TemporaryDirectory(prefix="poetsweb-backups-") as name:
        site = Site(Path(name) / "data").start()
        try:
            client = site.client("owner")
            slug = client.ok("POST", "/projects", {"name": "Colours"})["slug"]
            for seed in range(0, flags.pictures, 5000):
                archive = make_zip(coloured_pictures(min(5000, flags.pictures - seed) // COLOURS, seed=seed))
                answer = client.ok("POST", f"/projects/{slug}/uploads", {}, [("file", "colours.zip", archive)])
                client.succeed(answer["job"], 600)
            client.succeed(client.ok("POST", f"/projects/{slug}/train", {})["job"], 600)
            print(site.manage("shell", "-c", COUNT).stdout.strip(), "samples", flush=True)
            with load(client, slug) as done:
                for number in range(flags.tries):
                    if time.monotonic() > until:
                        break
                    whole, backed_up, rest = attempt(site, Path(name), done)
                    said = "consistent" if whole else "NOT consistent"
                    print(f"{number + 1}: {said}, backup {backed_up:.1f} s, the rest {rest:.1f} s; {done}", flush=True)
        finally:
            site.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
