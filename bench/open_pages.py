"""Measure open_pages: the share of a core that the web server needs while many pages of jobs are open."""

import http.client
import threading
import time
from urllib.parse import urlsplit

import psutil

from bench.figures import Figure
from bench.site import BenchmarkSite

PAGES = 200
EVERY, SECONDS = 2.0, 20.0  # how often a page asks, see job_live.js, and for how long is measured
ASKERS = 8
ALLOWED, MORE = 0.1, 1.5  # of a core; times as many requests for nothing, which no site can be cheaper than
EMPTY = "/health/empty"


def open_pages(bench: BenchmarkSite) -> Figure:
    """Measure the processor time of all web processes, in cores, beside that of as many requests for nothing.

    Half of the pages show a job that runs, the others jobs that wait. What the site needs without a page is taken off.
    """
    bench.project  # noqa: B018 - the site has been used
    idle = _cores(bench, [])
    limit = _cores(bench, [EMPTY] * PAGES) - idle
    value = _cores(bench, [f"/live/{ticket}" for ticket in _tickets(bench)]) - idle
    ok = value <= ALLOWED or value <= MORE * limit
    return Figure("open_pages", value, "cores", limit, value / limit, f"value <= {ALLOWED}, or ratio <= {MORE}", ok)


def _tickets(bench: BenchmarkSite) -> list[str]:
    """Return the tickets of open pages. The jobs are rows that no worker takes, one of which moves."""
    user, slug = bench.user, bench.project
    from classifier.jobs.kinds import TRAIN
    from classifier.live import make_ticket
    from classifier.models import Job, Project

    project = Project.objects.get(slug=slug)
    rows = [
        Job(project=project, kind=TRAIN.name, created_by=user, status=Job.Status.RUNNING, lease="bench", stage="embed")
        for _ in range(4)
    ] + [Job(project=project, kind=TRAIN.name, created_by=user, waits_for="an answer") for _ in range(PAGES // 2)]
    from django.utils import timezone

    for row in rows[:4]:
        row.started_at = row.stage_started_at = row.progress_at = row.heartbeat_at = timezone.now()
        row.total = 100_000
    jobs = Job.objects.bulk_create(rows)
    shown = [jobs[place % 4] if place % 2 else jobs[4 + place // 2] for place in range(PAGES)]
    return [make_ticket([job]) for job in shown]


def _cores(bench: BenchmarkSite, paths: list[str]) -> float:
    """Return the processor time per second of the web server while pages ask for these."""
    stop = threading.Event()
    threads = [threading.Thread(target=_ask, args=(bench, paths[start::ASKERS], stop)) for start in range(ASKERS)]
    for thread in threads:
        thread.start()
    mover = threading.Thread(target=_move, args=(stop,))
    mover.start()
    time.sleep(2 * EVERY)  # every page has asked once
    begun, before = time.monotonic(), _seconds(bench)
    time.sleep(SECONDS)
    used = (_seconds(bench) - before) / (time.monotonic() - begun)
    stop.set()
    for thread in (*threads, mover):
        thread.join()
    return used


def _move(stop: threading.Event) -> None:
    """Let the running jobs grow, and live, as their workers do."""
    from django.db import connection
    from django.db.models import F
    from django.utils import timezone

    from classifier.models import Job

    while not stop.wait(0.5):
        now = timezone.now()
        Job.objects.filter(lease="bench").update(done=F("done") + 30, progress_at=now, heartbeat_at=now)
    connection.close()


def _ask(bench: BenchmarkSite, paths: list[str], stop: threading.Event) -> None:
    """Ask as so many pages do, each over a connection of its own."""
    where = urlsplit(bench.site.address)
    pages = [(http.client.HTTPConnection(where.hostname or "", where.port, timeout=30), path) for path in paths]
    known = dict.fromkeys(range(len(pages)), "")
    while not stop.is_set():
        begun = time.monotonic()
        for place, (page, path) in enumerate(pages):
            page.request("GET", f"{path}?{known[place]}")
            answer = page.getresponse()
            body = answer.read()
            if answer.status == 200:
                known[place] = body.partition(b'"version": "')[2].partition(b'"')[0].decode()
            elif answer.status != 204:
                raise RuntimeError(f"A page was answered {answer.status}.")
        stop.wait(max(0.0, EVERY - (time.monotonic() - begun)))


def _seconds(bench: BenchmarkSite) -> float:
    """Return the processor seconds that the web server's processes have used so far."""
    assert bench.site.process is not None
    whole = psutil.Process(bench.site.process.pid).children(recursive=True)
    web = [one for one in whole if any("gunicorn" in word for word in one.cmdline())]
    times = [one.cpu_times() for one in web]
    return float(sum(each.user + each.system for each in times))
