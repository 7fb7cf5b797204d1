"""Pictures on their whole way through a site that has trouble, by a client who does not give up."""

import http.client
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from tests.datasets import COLOURS, coloured_pictures, make_zip
from tests.site import Client, Site

# How long each takes on two cores, in seconds, so that moments can be spread over it.
STAGES = {"upload": 0.6, "ingest": 1.2, "train": 2.5, "export": 4.0}
EACH = 60  # of a class: an archive is read in parts
SENT_ONE_BY_ONE = 4  # requests for pictures of each class
PATIENCE = 240.0
ANSWER_SECONDS = 10.0
SLACK = 3.0  # for a machine that is busy with other things


@dataclass
class Persistent:
    """A client who asks until there is an answer, and keeps to what the site says meanwhile."""

    client: Client
    refusals: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    longest: float = 0.0

    def __str__(self) -> str:
        return f"refused {dict(self.refusals)}, broken off {self.lost}, longest answer {self.longest:.1f} s"

    @property
    def site(self) -> Site:
        return self.client.site

    def ask(self, method: str, path: str, body: Any = None, files: Any = None, *, fine: tuple[int, ...] = ()) -> Any:
        """Return the answer of a request that was understood; with a status in `fine`, an error's, too."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = self.try_once(method, path, body, files)
            if found is not None and (found[0] < 300 or found[0] in fine):
                return found[1]
            time.sleep(0.3)
        raise AssertionError(f"{method} {path} was not answered. The site's last lines:\n{self._last_lines()}")

    def try_once(self, method: str, path: str, body: Any = None, files: Any = None) -> tuple[int, Any] | None:
        """Return (status, answer), or None where the connection broke. Fail where a refusal is not as it should be."""
        begun = time.monotonic()
        try:
            status, headers, answer = self.client.ask(method, path, body, files)
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError):
            self.lost += 1
            start_again(self.site)
            return None
        seconds = time.monotonic() - begun
        if status >= 400:
            self.refusals[status] += 1
        if status >= 500:
            assert status == 503, (method, path, status, answer, self._last_lines())
            assert headers["Retry-After"], (method, path, answer)
        self.longest = max(self.longest, seconds)
        assert seconds < ANSWER_SECONDS + SLACK, (method, path, status, answer, seconds)
        return status, answer

    def _last_lines(self) -> str:
        return self.site.log.read_text()[-6000:]

    def wait_job(self, number: int) -> Any:
        """Return the job once it has succeeded."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            job = self.ask("GET", f"/jobs/{number}")
            if job["status"] not in ("QUEUED", "RUNNING"):
                assert job["status"] == "SUCCEEDED", (job, self._last_lines())
                return job
            time.sleep(0.2)
        raise AssertionError(f"The job did not end: {job}\n{self._last_lines()}")


def start_again(site: Site) -> None:
    """Start a site that has ended, as a service manager does."""
    assert site.process is not None
    until = time.monotonic() + 90
    while site.process.poll() is not None:
        try:
            site.start()
        except AssertionError:  # what it left behind is still ending
            if time.monotonic() > until:
                raise
            time.sleep(1)


class Journey:
    """A project from its first picture to an export, with trouble at a moment of each stage."""

    def __init__(self, persistent: Persistent, number: int) -> None:
        self.client, self.seed = persistent, 100_000 * number
        self.slug = str(persistent.ask("POST", "/projects", {"name": f"Journey {number}"})["slug"])
        self.expected = Counter[str]()

    def go(self, trouble: dict[str, Callable[[], None]]) -> None:
        """Take all stages, each beside what makes trouble in it, and check that all is there at the end."""
        for stage in STAGES:
            beside(trouble.get(stage, lambda: None), getattr(self, stage))
        self.check()

    def upload(self) -> None:
        for turn in range(SENT_ONE_BY_ONE):
            for name, picture in coloured_pictures(1, seed=self.seed + 50_000 + turn).items():
                label = name.split("/")[0]
                self.client.ask("POST", f"/projects/{self.slug}/uploads", {"class": label}, [("file", name, picture)])
                self.expected[label] += 1

    def ingest(self) -> None:
        archive = [("file", "colours.zip", make_zip(coloured_pictures(EACH, seed=self.seed)))]
        self.client.wait_job(self.client.ask("POST", f"/projects/{self.slug}/uploads", {}, archive)["job"])
        self.expected.update(dict.fromkeys(COLOURS, EACH))

    def train(self) -> None:
        # Who asks again because the answer was lost is told of the job that runs.
        answer = self.client.ask("POST", f"/projects/{self.slug}/train", {"force": True}, fine=(409,))
        self.client.wait_job(answer["job"])

    def export(self) -> None:
        path = f"/projects/{self.slug}/versions/1/exports"
        self.client.wait_job(self.client.ask("POST", path, {"format": "tflite"})["job"])

    def check(self) -> None:
        found = self.client.ask("GET", f"/projects/{self.slug}")["classes"]
        assert {row["name"]: row["samples"] for row in found} == self.expected
        assert [row["number"] for row in self.client.ask("GET", f"/projects/{self.slug}/versions")] == [1]
        (export,) = self.client.ask("GET", f"/projects/{self.slug}/versions/1/exports")
        assert len(self.client.client.fetch(f"/projects/{self.slug}/versions/1/exports/tflite")) == export["size"]


def beside(trouble: Callable[[], None], work: Callable[[], None]) -> None:
    """Do the work while another thread makes trouble; what goes wrong in the thread is raised here."""
    errors: list[BaseException] = []

    def make_trouble() -> None:
        try:
            trouble()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=make_trouble)
    thread.start()
    try:
        work()
    finally:
        thread.join()
    if errors:
        raise errors[0]


@dataclass(frozen=True)
class Strike:
    """Trouble at a moment of a stage."""

    kind: str
    stage: str
    seconds: float  # after the stage has begun

    def __str__(self) -> str:
        return f"{self.kind} after {self.seconds:.1f} s of {self.stage}"


def plan_strikes(kinds: dict[str, tuple[str, ...]], moments: int) -> list[list[Strike]]:
    """Spread so many moments of each kind of trouble over its stages, at most one a stage and journey."""
    planned: dict[str, list[Strike]] = {stage: [] for stage in STAGES}
    for place, (kind, stages) in enumerate(kinds.items()):
        rounds = -(-moments // len(stages))
        for moment in range(moments):
            stage = stages[(place + moment) % len(stages)]
            planned[stage].append(Strike(kind, stage, STAGES[stage] * (moment // len(stages) + 0.5) / rounds))
    return [[strike for strike in journey if strike] for journey in zip_longest(*planned.values())]


def check_site(site: Site, *, deaths: bool = False) -> None:
    """Check that every file is as its row says, and that every job there ever was has succeeded.

    Only with `deaths` may a worker have died meanwhile.
    """
    code = f"""
from django.core.management import call_command
from django.db.models import Q
from classifier.models import Job
call_command("check_files")
wrong = ~Q(status="SUCCEEDED") | Q(worker_deaths__gt={99 if deaths else 0})
print(list(Job.objects.filter(wrong).values()))
"""
    done = site.manage("shell", "--no-imports", "-c", code, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stdout
