"""The pictures at web addresses that a folder's tables name: fetched by a job, as they were planned with the folder."""

import json
from pathlib import Path

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.crypto import get_random_string

from classifier.disk import check_room
from classifier.models import Project, Upload
from classifier.services.quotas import check_quota
from classifier.services.uploads import queue_ingest
from ml.datasets.plan import Plan, Verdict
from ml.errors import Refused

PLANNED = "planned_web"  # in the config of a job whose file lists addresses with what was planned of them


class NothingToFetch(Refused):
    """No table of the folder names web addresses, or it is not clear yet how to read it. The message says which."""


def fetch_planned(project: Project, plan: Plan, source: str, *, by: User | None) -> Upload:
    """Queue the job that fetches the pictures of a plan that are on the web.

    The folder's own pictures are sent by the browser that planned it. Raise `NothingToFetch`, DiskFull.
    """
    if plan.questions:
        raise NothingToFetch("It is not clear yet how this folder is to be read. Answer the questions first.")
    if not plan.web:
        raise NothingToFetch("No table of this folder names pictures at web addresses.")
    check_room(0)
    check_quota(project)
    content = json.dumps([[address, *verdict] for address, verdict in plan.web.items()]).encode()
    path = default_storage.save(f"incoming/{project.pk}/{get_random_string(24)}", ContentFile(content))
    source = f"{source[:200]}: pictures from the web"
    try:
        config = {"archive": path, "name": source, PLANNED: True, "frames": plan.layout.frames}
        return queue_ingest(project, source=source, config=config, by=by)
    except Exception:
        default_storage.delete(path)  # no row names it
        raise


def read_planned(path: Path) -> dict[str, Verdict]:
    """Return what was planned of each address."""
    return {address: Verdict(*verdict) for address, *verdict in json.loads(path.read_bytes())}
