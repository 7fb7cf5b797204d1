"""What takes room on the disk, for administrators; for others there is nothing here."""

from datetime import datetime
from typing import Any

from ninja import Field, Router, Schema, Status

from classifier.access import SignedIn, check_administrator
from classifier.api.errors import errors
from classifier.disk import free_bytes
from classifier.services import disk_usage as service

router = Router()


class DiskKindOut(Schema):
    title: str
    bytes: int
    advice: str = Field(description="how it is freed, where it can be")


class ProjectSizeOut(Schema):
    slug: str
    name: str
    owner: str
    pictures: int = Field(description="those in its trash too")
    bytes: int
    deleted_at: datetime | None


class DiskUsageOut(Schema):
    measured_at: datetime | None = Field(description="null if nobody has measured it yet")
    is_being_measured: bool
    free: int = Field(description="bytes on the disk of the data folder, now")
    kinds: list[DiskKindOut]
    freeable: list[DiskKindOut] = Field(description="what can be freed, which is part of the kinds")
    projects: list[ProjectSizeOut] = Field(description="the fifty whose pictures take most")


def _present() -> dict[str, Any]:
    found = service.get_disk_usage()
    about = ("slug", "name", "deleted_at")
    return {
        **{name: getattr(found, name) for name in ("measured_at", "is_being_measured", "kinds", "freeable")},
        "free": free_bytes(),
        "projects": [
            {
                **{name: getattr(one.project, name) for name in about},
                **{"owner": one.project.owner.username, "pictures": one.pictures, "bytes": one.bytes},
            }
            for one in found.projects
        ],
    }


@router.get("/disk-usage", response={200: DiskUsageOut, **errors(404, 422)})
def get_disk_usage(request: SignedIn) -> Any:
    """Return what takes room on the disk, as it was measured last."""
    check_administrator(request)
    return _present()


@router.post("/disk-usage/measure", response={202: DiskUsageOut, **errors(400, 404, 409, 413, 422)})
def measure_disk_usage(request: SignedIn) -> Any:
    """Have it measured, which a job does in some seconds to minutes."""
    check_administrator(request)
    service.request_measurement(by=request.user)
    return Status(202, _present())
