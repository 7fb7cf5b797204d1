"""Write the progress of a training from its reports to the job's row."""

import math
import time
from collections.abc import Callable

from classifier.jobs import reporting
from classifier.jobs.kinds import KINDS
from classifier.jobs.stages import Stage
from classifier.jobs.wishes import is_asked_to_stop
from classifier.models import Job
from classifier.services import checkpoints
from ml.training.fine_tuning.state import Point
from ml.training.stopping import StopTraining
from worker.throttle import Throttle
from worker.turns import LongTurn


class TrainingProgress:
    """A reporter to be called as report(stage, fraction, **point).

    It enters each stage once, collects the points of the curve, and throttles the writes.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._throttle = Throttle()
        self._head: list[Point] = []
        self.tuning: list[Point] = []
        self.stopped = False

    def __call__(self, stage: str, fraction: float, **point: float) -> None:
        if stage != self.job.stage:
            reporting.enter_stage(self.job, stage, total=1000)
        if point and all(map(math.isfinite, point.values())):  # databases and charts cannot hold other numbers
            self._head.append(point)
        if self._throttle.due() or fraction >= 1:
            reporting.report(self.job, done=int(fraction * 1000), curve=self.curve)
        self.stop_if_asked()
        if self.stopped and stage == "evaluate" and fraction > 0:
            raise StopTraining  # a cross-validation would take as long as the training that nobody waited for

    def stop_if_asked(self) -> None:
        """Raise StopTraining if somebody wants what has been reached, in a stage that can give it."""
        if is_asked_to_stop(self.job) and _current_stage(self.job).can_stop(self.job.config):
            self.stopped = True
            raise StopTraining

    @property
    def curve(self) -> list[Point]:
        """Return the points of the head's training, followed by those of the epochs of fine-tuning."""
        return [*_thin(self._head), *self.tuning]


class TuningProgress:
    """A reporter for the fine-tuning, which implements `ml.training.fine_tuning.loop.Watch`."""

    def __init__(self, progress: TrainingProgress, checkpoint: str) -> None:
        self.job, self._progress, self._checkpoint = progress.job, progress, checkpoint
        self._throttle, self._turn = Throttle(), LongTurn(progress.job)
        self.pictures = 0  # shown so far
        self._steps, self._step_seconds, self._step_ended = 0, 0.0, 0.0

    @property
    def step_rate(self) -> float | None:
        """Return the pictures per second of the steps only, including what they wait for, or None if unknown.

        The first step of each epoch is not counted.
        """
        return self._steps / self._step_seconds if self._steps else None

    def begin(self, pictures: int) -> None:
        """Enter the stage."""
        reporting.enter_stage(self.job, "fine_tune", total=pictures)

    def shown(self, pictures: int) -> None:
        """Count the pictures, measure the speeds and report."""
        now, batch, self.pictures = time.monotonic(), pictures - self.pictures, pictures
        if batch and self._step_ended:
            self._steps, self._step_seconds = self._steps + batch, self._step_seconds + now - self._step_ended
        self._step_ended = now if batch else 0.0
        if self._throttle.due():
            reporting.report(self.job, done=pictures)  # which finds out whether the job was cancelled
        self._progress.stop_if_asked()

    def epoch_ended(self, points: list[Point], checkpoint: Callable[[], bytes]) -> None:
        """Report the curve and store a checkpoint."""
        self._progress.tuning = points
        checkpoints.keep_checkpoint(self.job, self._checkpoint, checkpoint(), epochs=len(points))
        reporting.report(self.job, done=self.pictures, curve=self._progress.curve)
        self._turn.kept()


def _current_stage(job: Job) -> Stage:
    return next(stage for stage in KINDS[job.kind].stages if stage.name == job.stage)


def _thin(curve: list[Point], most: int = 400) -> list[Point]:
    """Return at most about `most` points, evenly spaced and including the last, so that the row stays small."""
    stride = -(-len(curve) // most) or 1
    kept = curve[::stride]
    return kept if not curve or kept[-1] is curve[-1] else [*kept, curve[-1]]
