"""Files sent from the storage, or made while they are sent, by pages and by the API."""

import threading
from collections.abc import Callable, Generator, Iterator
from typing import IO

from django.conf import settings
from django.http import FileResponse, Http404, StreamingHttpResponse
from django.shortcuts import get_object_or_404

from classifier.jobs.log import log_as_text
from classifier.models import DatasetVersion, Export, Job, Project
from classifier.outages import raise_outage
from classifier.sample_filters import BadFilter, SampleFilter, select_samples
from classifier.services.event_files import event_files_name, open_event_files
from classifier.services.exports import open_export
from classifier.services.project_files.offering import open_project_file
from classifier.services.takeouts import Source, stream_manifest, stream_zip
from ml.errors import Unavailable

MOST_AT_ONCE = max(1, settings.WEB_THREADS // 4)  # in a web process: each keeps a thread for as long as it takes
_turns = threading.BoundedSemaphore(MOST_AT_ONCE)


class TooManyDownloads(Unavailable):
    """As many as a web process sends at once are under way."""

    def __init__(self) -> None:
        super().__init__("Others are downloading pictures at the moment. Please try again in a few minutes.")


def choose_source(project: Project, wanted: SampleFilter, number: int | None) -> Source:
    """Return the pictures that match the filter, or those of a dataset version. Raise Http404, BadFilter."""
    if number is None:
        return select_samples(project, wanted)
    if wanted.narrows:
        raise BadFilter("A dataset version is downloaded as a whole: leave out the filter, or the version.")
    found: DatasetVersion = get_object_or_404(project.dataset_versions, number=number)
    return found


def send_pictures(project: Project, source: Source, *, manifest_only: bool = False) -> StreamingHttpResponse:
    """Send pictures as a zip, or its manifest alone. Raise TooManyDownloads, DatasetCorrupt, OSError."""
    name = f"{project.slug}-dataset-{source.number}" if isinstance(source, DatasetVersion) else project.slug
    pieces = _Turn(lambda: (stream_manifest if manifest_only else stream_zip)(source))
    ending, kind = ("csv", "text/csv; charset=utf-8") if manifest_only else ("zip", "application/zip")
    headers = {"Content-Disposition": f'attachment; filename="{name}.{ending}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(pieces, content_type=kind, headers=headers)


class _Turn(Iterator[bytes]):
    """A download that is one of those under way until it is sent, fails or is closed.

    Its first piece is made at once: what goes wrong until then is told in words, later it can only be cut off.
    """

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        if not _turns.acquire(blocking=False):
            raise TooManyDownloads
        self._pieces = _releasing(make())
        self._first: bytes | None = next(self._pieces)

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._pieces)

    def close(self) -> None:
        self._pieces.close()


def _releasing(pieces: Iterator[bytes]) -> Generator[bytes, None, None]:
    try:
        yield from pieces
    finally:
        _turns.release()


def send_export(project: Project, export: Export) -> FileResponse:
    """Send the archive; raise Http404 where the storage has lost it."""
    name = f"{project.slug}-v{export.model_version.number}-{export.format}.zip"
    return _send_zip(lambda: open_export(export), name)


def send_event_files(job: Job) -> FileResponse:
    """Send what the training wrote for TensorBoard; raise Http404 where there is nothing."""
    return _send_zip(lambda: open_event_files(job), f"{event_files_name(job)}.zip")


def send_project_file(job: Job) -> FileResponse:
    """Send the file in which a job has written its project; raise Http404 where it is gone."""
    return _send_zip(lambda: open_project_file(job), f"{job.own_project.slug}-project.zip")


def _send_zip(open_file: Callable[[], IO[bytes]], name: str) -> FileResponse:
    try:
        file = open_file()
    except OSError as error:
        raise_outage(error)
        raise Http404 from None
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")


def send_job_log(job: Job) -> StreamingHttpResponse:
    """Send the log of a job as a text file."""
    name = f"{job.project.slug}-job{job.number}-log.txt" if job.project else f"job{job.pk}-log.txt"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    lines = log_as_text(job.log_lines.all())
    return StreamingHttpResponse(lines, content_type="text/plain; charset=utf-8", headers=headers)
