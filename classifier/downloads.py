"""Files sent from the storage, by pages and by the API."""

from collections.abc import Callable
from typing import IO

from django.http import FileResponse, Http404

from classifier.models import Export, Job, Project
from classifier.outages import raise_outage
from classifier.services.event_files import event_files_name, open_event_files
from classifier.services.exports import open_export


def send_export(project: Project, export: Export) -> FileResponse:
    """Send the archive; raise Http404 where the storage has lost it."""
    name = f"{project.slug}-v{export.model_version.number}-{export.format}.zip"
    return _send_zip(lambda: open_export(export), name)


def send_event_files(job: Job) -> FileResponse:
    """Send what the training wrote for TensorBoard; raise Http404 where there is nothing."""
    return _send_zip(lambda: open_event_files(job), f"{event_files_name(job)}.zip")


def _send_zip(open_file: Callable[[], IO[bytes]], name: str) -> FileResponse:
    try:
        file = open_file()
    except OSError as error:
        raise_outage(error)
        raise Http404 from None
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")
