"""What may be chosen of a list of jobs, for the pages and the API alike."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import QuerySet

from classifier import selectors
from classifier.jobs.kinds import KINDS
from classifier.jobs.progress import Progress, job_progress
from classifier.jobs.queueing import list_positions
from classifier.jobs.stage_times import StageTimes
from classifier.live import stamp
from classifier.models import Job, Project

PAGE = 30
OPEN = "open"
STATES = {OPEN: "Waiting or running", **{status.value.lower(): status.label for status in Job.Status}}
# Parts of other jobs, and what is done in the background, are in no list.
LISTED = {name: kind.title for name, kind in KINDS.items() if not kind.background and kind.stages}


@dataclass(frozen=True)
class Row:
    """A job in a list; `position` in the queue, while it waits to begin."""

    job: Job
    progress: Progress
    stamp: str
    position: int | None


class JobFilter(forms.Form):
    """Which jobs to list. Whatever is not one of the choices is taken for no choice, as addresses are typed by hand."""

    state = forms.ChoiceField(required=False, choices=[("", "All"), *STATES.items()])
    kind = forms.ChoiceField(required=False, choices=[("", "All"), *LISTED.items()])
    project = forms.ChoiceField(required=False)

    def __init__(self, given: Any, *, user: User, project: Project | None = None) -> None:
        super().__init__(given)
        if project is not None:
            del self.fields["project"]
        else:
            names = selectors.list_projects(user).order_by("name").values_list("slug", "name")
            self.fields["project"].choices = [("", "All"), *names]  # type: ignore[attr-defined]

    def chosen(self) -> dict[str, str]:
        """Return the valid choices that were made."""
        self.full_clean()
        return {name: value for name, value in self.cleaned_data.items() if value}


def filter_jobs(
    user: User, *, state: str = "", kind: str = "", project: str = "", before: int | None = None
) -> QuerySet[Job]:
    """List the jobs that a user may see, the newest first; those before an id if that is given."""
    found = selectors.list_jobs(user)
    if state:
        found = found.filter(status__in=Job.OPEN if state == OPEN else [state.upper()])
    if kind:
        found = found.filter(kind=kind)
    if project:
        found = found.filter(project__slug=project)
    return found.filter(pk__lt=before) if before is not None else found


def make_rows(jobs: list[Job]) -> list[Row]:
    """Add to each job what a list shows of it, with as many queries for twenty as for one."""
    times = StageTimes({job.kind for job in jobs})
    positions = list_positions(jobs)
    return [Row(job, job_progress(job, times), stamp(job), positions.get(job.pk)) for job in jobs]
