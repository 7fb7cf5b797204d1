"""What the administrator has to know: workers, queues, disk, the reaper, and what is stuck, each with what to do."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.models import Count, Min, Q, Sum
from django.utils import timezone

from classifier.disk import LOW, RESERVED, free_bytes
from classifier.jobs.kinds import KINDS, QUEUES
from classifier.jobs.lifecycle import IS_DUE, WAITS_FOR_CHILDREN
from classifier.jobs.progress import Forecast
from classifier.jobs.recovery import LOST_AFTER
from classifier.jobs.stage_times import StageTimes
from classifier.models import Embedding, Export, Image, Job, PartialUpload
from classifier.schema import describe_program
from classifier.workers import Worker, describe_workers, last_reaper_round
from ml.machine import folder_size
from poetsweb.shared_settings import digest_settings

REAPER_LATE = 30.0  # seconds; it makes a round every 3
WAITS_LONG = timedelta(minutes=10)
SLOW_SECONDS = 120.0  # that a stage is later than was foreseen
SHOWN = 20
RECENT = timedelta(days=1)


@dataclass(frozen=True)
class WorkerState:
    worker: Worker
    jobs: list[Job]


@dataclass(frozen=True)
class QueueState:
    """What waits in a queue; `served` by a worker that is alive."""

    name: str
    waiting: int
    oldest_seconds: float | None
    served: bool


@dataclass(frozen=True)
class Space:
    """What takes room, in bytes; `kind` is the word that metrics have for it."""

    title: str
    size: int
    kind: str


@dataclass(frozen=True)
class Finding:
    """Something that needs a look: what it is, and what to do. `job` links to its page."""

    text: str
    advice: str
    job: Job | None = None


@dataclass(frozen=True)
class Maintenance:
    workers: list[WorkerState]
    queues: list[QueueState]
    spaces: list[Space]
    free: int
    reaper_seconds: float | None
    reaper_troubles: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    failed: int = 0  # jobs in the last day
    succeeded: int = 0


def look_after() -> Maintenance:
    """Collect what is known. It asks only the database, the cache and the file system: nothing that may hang."""
    workers = describe_workers()
    queues = list_queues(workers)
    told = last_reaper_round()
    seconds, troubles = told if told else (None, [])
    findings = [
        *_about_versions(workers),
        *_about_settings(workers),
        *_about_queues(queues),
        *_about_reaper(seconds, troubles),
        *_about_disk(),
        *_about_jobs(),
    ]
    ended = Job.objects.filter(parent=None, background=False, finished_at__gt=timezone.now() - RECENT)
    counted = ended.aggregate(failed=Count("pk", Q(status="FAILED")), succeeded=Count("pk", Q(status="SUCCEEDED")))
    return Maintenance(
        [WorkerState(worker, _jobs_of(worker)) for worker in workers],
        queues,
        list_spaces(),
        free_bytes(),
        seconds,
        troubles,
        findings,
        **counted,
    )


def _jobs_of(worker: Worker) -> list[Job]:
    held = Job.objects.filter(status=Job.Status.RUNNING, worker=worker.name).exclude(lease="")
    return list(held.select_related("project").defer("curve", "state", "result")[:SHOWN])


def list_queues(workers: list[Worker]) -> list[QueueState]:
    """List the queues with what waits in them."""
    due = Job.objects.filter(IS_DUE, ~WAITS_FOR_CHILDREN, status__in=Job.OPEN, lease="").order_by()
    rows = {row["kind"]: row for row in due.values("kind").annotate(count=Count("pk"), oldest=Min("created_at"))}
    served = {queue for worker in workers for queue in worker.queues}
    found = []
    for queue in QUEUES:
        of_queue = [row for kind, row in rows.items() if kind in KINDS and KINDS[kind].queue == queue]
        oldest = min((row["oldest"] for row in of_queue), default=None)
        age = (timezone.now() - oldest).total_seconds() if oldest else None
        found.append(QueueState(queue, sum(row["count"] for row in of_queue), age, queue in served))
    return found


def list_spaces() -> list[Space]:
    """List what takes room, as far as it can be told without looking at each file."""
    files = [
        Space("Pictures", Image.objects.aggregate(n=Sum("size"))["n"] or 0, "pictures"),
        Space("Exported files", Export.objects.exclude(sha256="").aggregate(n=Sum("size"))["n"] or 0, "exports"),
        Space("Uploads that are not whole yet", PartialUpload.objects.aggregate(n=Sum("offset"))["n"] or 0, "uploads"),
        Space("Prepared backbones", folder_size(settings.ML.backbones_dir), "backbones"),
        Space("Downloaded weights", folder_size(settings.ML.weights_dir), "weights"),
    ]
    title = f"Database, with the features of {Embedding.objects.filter(shard=None).count():,} pictures"
    return [*files, Space(title, database_size(), "database")]


def database_size() -> int:
    """Return the bytes of the database."""
    if connection.vendor == "sqlite":
        name = Path(str(connection.settings_dict["NAME"]))
        return sum(path.stat().st_size for path in name.parent.glob(f"{name.name}*") if path.is_file())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def _about_queues(queues: list[QueueState]) -> list[Finding]:
    found = []
    for queue in queues:
        if not queue.served:
            waiting = f", and {queue.waiting:,} jobs wait for one" if queue.waiting else ""
            found.append(
                Finding(
                    f"No worker serves the queue “{queue.name}”{waiting}.",
                    "Start one: “make run” starts all together with the site. If it does not stay, look at its log.",
                )
            )
        elif queue.oldest_seconds is not None and queue.oldest_seconds > WAITS_LONG.total_seconds():
            found.append(
                Finding(
                    f"In the queue “{queue.name}” a job has waited for {round(queue.oldest_seconds / 60)} minutes.",
                    "The workers are busy with other jobs. Start more of them, here or on another machine.",
                )
            )
    return found


def _about_versions(workers: list[Worker]) -> list[Finding]:
    """Tell of workers, here or on other machines, that run another version of the program than this process."""
    ours = describe_program()
    return [
        Finding(
            f"The worker {worker.name} runs PoetsWeb {worker.program or 'of an unknown version'}, and this is {ours}.",
            "Bring the newer version to all machines, run “manage.py prepare” there, and start the processes again.",
        )
        for worker in workers
        if worker.program != ours
    ]


def _about_settings(workers: list[Worker]) -> list[Finding]:
    """Tell of workers on machines that have other settings than this process, where all have to have the same."""
    ours = digest_settings()
    found = []
    for worker in workers:
        other = [name for name, digest in ours.items() if worker.settings.get(name, digest) != digest]
        if other:
            found.append(
                Finding(
                    f"The worker {worker.name} has other values of {', '.join(other)} than this process.",
                    "Workers send mails, count quotas and empty the trash. Give all machines the same values.",
                )
            )
    return found


def _about_reaper(seconds: float | None, troubles: list[str]) -> list[Finding]:
    found = []
    if seconds is None or seconds > REAPER_LATE:
        found.append(
            Finding(
                "The process that takes over from dead workers (the reaper) has not been heard of lately.",
                "Start it with “manage.py run_reaper”; “make run” does that. Without it, lost work is not sent again.",
            )
        )
    found += [Finding(f"The reaper could not do one of its duties: {name}.", "Its log tells why.") for name in troubles]
    return found


def _about_disk() -> list[Finding]:
    free = free_bytes()
    if free >= LOW:
        return []
    refused = "Uploads are refused." if free < RESERVED else "Soon uploads will be refused."
    return [
        Finding(
            f"Only {free / 2**20:,.0f} MB are free on the disk of the data folder. {refused}",
            "Empty the trash of projects, delete exports that nobody needs, or move the data folder to a larger disk.",
        )
    ]


def _about_jobs() -> list[Finding]:
    now = timezone.now()
    running = Job.objects.filter(status=Job.Status.RUNNING, parent=None).select_related("project")
    silent = running.exclude(lease="").filter(heartbeat_at__lt=now - 4 * LOST_AFTER)
    found = [
        Finding(
            f"{_name(job)} has not given a sign of life since {job.heartbeat_at:%H:%M:%S}.",
            "Its worker has probably died; the reaper lets another go on. If that does not happen, restart the site.",
            job,
        )
        for job in silent[:SHOWN]
    ]
    for job in running.exclude(waits_for="").filter(not_before__lt=now + timedelta(days=365))[:SHOWN]:
        found.append(
            Finding(
                f"{_name(job)} waits because {job.waits_for} does not answer.",
                "It goes on by itself once that is back; see whether it is.",
                job,
            )
        )
    return [*found, *_slow_jobs(list(running.exclude(lease="").defer("curve", "result")[:SHOWN]))]


def _slow_jobs(jobs: list[Job]) -> list[Finding]:
    times = StageTimes({job.kind for job in jobs})
    late = {job: Forecast(job, times).late_by() or 0.0 for job in jobs}
    return [
        Finding(
            f"{_name(job)} is {round(seconds / 60)} minutes later than was foreseen.",
            "It may only have more to do than usual. If its log tells nothing new for long, cancel it and try again.",
            job,
        )
        for job, seconds in late.items()
        if seconds > SLOW_SECONDS
    ]


def _name(job: Job) -> str:
    title = KINDS[job.kind].title if job.kind in KINDS else job.kind
    return f"“{title}” of {job.project.name}" if job.project else f"“{title}”"
