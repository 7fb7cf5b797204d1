"""Delete a project in the trash for good."""

from classifier.jobs import lifecycle, reporting
from classifier.models import Job
from classifier.services import purging
from classifier.services.compacting import compact_database


def delete_for_good(job: Job) -> None:
    """Delete the pictures of a project in slices, then the rest; who goes on with the job begins where it stopped."""
    project = job.config["project"]
    reporting.enter_stage(job, "pictures", total=purging.count_samples(project))

    def tell(pictures: int) -> None:
        reporting.report(job, done=job.done + pictures)

    purging.purge_pictures(project, tell)
    reporting.enter_stage(job, "rest", total=1)
    purging.purge_project(project)
    compact_database()
    lifecycle.finish_job(job)
