"""A job's row as a progress bar, for page and API alike."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from classifier.jobs.kinds import KINDS
from classifier.jobs.stage_times import StageTimes
from classifier.jobs.stages import Stage
from classifier.jobs.state import JobState
from classifier.models import Job

OVERDUE_SLOPE = 0.35  # seconds that are added for each second that a stage is late: the figure is never still for 3 s
SURE, UNSURE = 0.2, 0.02  # share of a stage in which its live rate weighs as much as the one remembered, or guessed
TRUST_IN_TIME = 0.75  # remembered of a stage whose steps are uneven, against its progress
LATE_SECONDS = 1.0  # from which it is said that a stage takes longer than usual


@dataclass(frozen=True)
class Progress:
    """What a bar shows. `rate` in units per second; `eta` in seconds, None while the job waits.

    `late_by`: the seconds that the stage already takes longer than was foreseen, None where it does not.
    """

    title: str
    fraction: float
    done: int
    total: int
    unit: str
    rate: float | None
    eta: float | None
    late_by: float | None = None


def job_progress(job: Job, times: StageTimes | None = None) -> Progress:
    """Return how far a job is, over all its stages. `times` spare a list of jobs a query for each."""
    forecast, rate = Forecast(job, times or StageTimes([job.kind])), _rate(job)
    if job.waits_for_answer:
        return Progress("Waiting for your answer", 0.0, 0, 0, "", None, None)
    stage, eta, share = forecast.current, forecast.seconds_left(), forecast.share_done()
    if stage is None:
        title = "Starting" if job.lease else "Waiting for a worker"
        return Progress(title, share, job.done, job.total, "", rate, eta)
    return Progress(stage.title, share, job.done, job.total, stage.unit, rate, eta, forecast.late_by())


def _rate(job: Job) -> float | None:
    if not job.stage_started_at or not job.done:
        return None
    end: datetime = job.progress_at or job.finished_at or timezone.now()
    return job.done / max((end - job.stage_started_at).total_seconds(), 0.001)


class Forecast:
    """How long a job will take, from what its stages usually take on this site and from how fast it is now."""

    def __init__(self, job: Job, times: StageTimes, now: datetime | None = None) -> None:
        self.job, self.state = job, JobState.model_validate(job.state)
        self._times, self._now = times, now or timezone.now()
        stages = KINDS[job.kind].stages_of(job.config)
        place = next((place for place, stage in enumerate(stages) if stage.name == job.stage), -1)
        self.current = stages[place] if place >= 0 else None
        self._earlier, self._later = stages[: max(place, 0)], stages[place + 1 :]

    def seconds_in_all(self) -> float:
        """Return what the job usually takes from its beginning, without waiting."""
        return sum(self.usual_seconds(stage) for stage in KINDS[self.job.kind].stages_of(self.job.config))

    def share_done(self) -> float:
        """Return how much of the job is done, from 0 to 1: each stage counts as it usually takes, and grows evenly."""
        if self.job.status == Job.Status.SUCCEEDED:
            return 1.0
        if self.current is None:
            return 0.0
        before, later = (sum(map(self.usual_seconds, stages)) for stages in (self._earlier, self._later))
        now = self.usual_seconds(self.current, self.job.total)
        return (before + now * self._share_of_stage(now)) / max(before + now + later, 0.001)

    def _share_of_stage(self, usual: float) -> float:
        """Return the share of the current stage: by its units, or else by its time, which never makes it whole."""
        if self.job.total > 1:
            return min(self.job.done / self.job.total, 1.0)
        spent = self._since(self.job.stage_started_at) if self.job.is_open else 0.0
        return spent / (spent + max(usual - spent, OVERDUE_SLOPE * usual, 0.001))

    def seconds_left(self) -> float | None:
        """Return the seconds to the end; None while the job waits for a worker or for what is away."""
        if self.job.status != Job.Status.RUNNING or self.job.waits_for or not KINDS[self.job.kind].stages:
            return None
        later = sum(self.usual_seconds(stage) for stage in self._later)
        if self.current is None:
            return stretch(later, self._since(self.job.started_at))
        return stretch(self._left_at_last_report(self.current), self._since_report()) + later

    def late_by(self) -> float | None:
        """Return by how many seconds the current stage is overdue; None where it is not, or the job waits."""
        if self.current is None or self.job.status != Job.Status.RUNNING or self.job.waits_for:
            return None
        over = self._since_report() - self._left_at_last_report(self.current)
        return over if over >= LATE_SECONDS else None

    def _since(self, when: datetime | None) -> float:
        return max((self._now - when).total_seconds(), 0.0) if when else 0.0

    def _since_report(self) -> float:
        return self._since(self.job.progress_at or self.job.stage_started_at)

    def _left_at_last_report(self, stage: Stage) -> float:
        """Blend the rate of the stage so far with the usual one, which counts for less as the stage goes on."""
        job, usual = self.job, self.usual_seconds(stage, self.job.total)
        if job.total <= 1 or not job.done:
            return usual
        spent = self._since(job.stage_started_at) - self._since_report()
        is_known = self._times.find(job, stage, self.state) is not None
        share = SURE if is_known else UNSURE
        rate = (share * job.total + job.done) / max(share * usual + spent, 0.001)
        left = max(job.total - job.done, 0) / rate
        if is_known and not stage.has_even_steps(job.config):
            left += TRUST_IN_TIME * (max(usual - spent, 0.0) - left)
        return left

    def usual_seconds(self, stage: Stage, units: int = 0) -> float:
        """Return what a stage takes; nothing where it is known to have nothing to do. `units` are known once it runs.

        Where nothing tells how many there are, it is taken to take as long as the last ones did.
        """
        expected = self.state.expected.get(stage.name)
        if expected == 0 and not units:
            return 0.0
        known = self._times.find(self.job, stage, self.state)
        guessed = self.state.guessed.get(stage.name) or stage.rate
        seconds, rate = known if known else (stage.seconds, guessed)
        count = units if units > 1 else expected
        return count / rate if stage.unit and count and rate else seconds


def stretch(left: float, since: float) -> float:
    """Return what is left of a time of which `left` was left `since` seconds ago.

    It falls by a second a second, and where that does not happen which was foretold, it grows slowly: the longer
    something is overdue, the longer it is likely to take.
    """
    return max(left - since, OVERDUE_SLOPE * (since - left / 2), 0.0)
