"""What the administrator has to know, for programs that watch the site."""

from typing import Any

from ninja import Field, Router, Schema

from classifier.access import SignedIn, check_administrator
from classifier.api.errors import errors
from classifier.services.maintenance import look_after

router = Router()


class WorkerOut(Schema):
    name: str
    queues: list[str]
    version: str
    memory: int = Field(description="bytes of all its processes; 0 where the system does not tell it")
    jobs: list[int] = Field(description="the ids of the jobs that it has")


class QueueOut(Schema):
    name: str
    waiting: int
    oldest_seconds: float | None
    served: bool = Field(description="by a worker that is alive")


class SpaceOut(Schema):
    title: str
    size: int


class FindingOut(Schema):
    text: str
    advice: str
    job: int | None


class MaintenanceOut(Schema):
    findings: list[FindingOut] = Field(description="what needs a look; empty if all is well")
    workers: list[WorkerOut]
    queues: list[QueueOut]
    spaces: list[SpaceOut]
    free: int = Field(description="bytes on the disk of the data folder")
    reaper_seconds: float | None = Field(description="since the last round of what takes over from dead workers")
    succeeded: int = Field(description="jobs in the last day")
    failed: int


@router.get("/maintenance", response={200: MaintenanceOut, **errors(404, 422)})
def get_maintenance(request: SignedIn) -> Any:
    """Return how the site is doing. For administrators; for others there is nothing here."""
    check_administrator(request)
    found = look_after()
    return {
        **{
            name: getattr(found, name) for name in ("spaces", "queues", "free", "reaper_seconds", "succeeded", "failed")
        },
        "findings": [
            {"text": one.text, "advice": one.advice, "job": one.job.pk if one.job else None} for one in found.findings
        ],
        "workers": [
            {
                **{name: getattr(state.worker, name) for name in ("name", "queues", "version", "memory")},
                "jobs": [job.pk for job in state.jobs],
            }
            for state in found.workers
        ],
    }
