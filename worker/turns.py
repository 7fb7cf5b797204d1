"""Let others have the worker after some time: what takes hours is interrupted where it can go on."""

import time

from classifier.jobs import lifecycle
from classifier.jobs.fairness import others_wait
from classifier.models import Job

LEAST_SECONDS = 60.0  # that a turn lasts
TIMES_BEGINNING = 10  # what it took to get to where the job had been is not done again for less than this times as much
LOOK_SECONDS = 5.0  # between two looks at who waits
BY_HAND = "command@"  # what the names of workers begin with that are commands: nobody waits for those


class LongTurn:
    """The turn of a job that takes long and is kept bit by bit."""

    def __init__(self, job: Job) -> None:
        self._job, self._begun, self._least, self._looked = job, time.monotonic(), 0.0, 0.0

    def kept(self) -> None:
        """Note that the job could go on from here, and give way to others who have waited. Raise LeaseLost."""
        now = time.monotonic()
        if not self._least:
            self._least = max(LEAST_SECONDS, TIMES_BEGINNING * (now - self._begun))
        if now - self._begun < self._least or now - self._looked < LOOK_SECONDS or self._job.worker.startswith(BY_HAND):
            return
        self._looked = now
        if others_wait(self._job):
            lifecycle.give_way(self._job)
