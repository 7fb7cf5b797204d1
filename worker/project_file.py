"""Write a project into a file for its owner, to bring it to another site."""

import tempfile
from pathlib import Path

from django.conf import settings

from classifier.disk import wait_for_room
from classifier.jobs import lifecycle, reporting
from classifier.jobs.results import ProjectFileResult
from classifier.models import Job
from classifier.services.project_files.making import export_project
from classifier.services.project_files.offering import count_pictures, store_project_file


def write_project_file(job: Job) -> None:
    """Write the file on this machine, then store it; whoever goes on with the job begins it anew.

    Raise ProjectFileRefused where something of the project is missing.
    """
    pictures, size = count_pictures(job.own_project)
    wait_for_room(2 * size)
    reporting.enter_stage(job, "write", total=pictures)
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR, prefix="project-") as folder:
        path = Path(folder, "project.zip")
        made = export_project(
            job.own_project, path, by=job.created_by, tell=lambda done: reporting.report(job, done=done)
        )
        reporting.enter_stage(job, "store", total=1)
        store_project_file(job, path)
    lifecycle.finish_job(job, ProjectFileResult(pictures=made.pictures, left_out=len(made.left_out)))
