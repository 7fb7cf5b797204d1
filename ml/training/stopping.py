"""Stop a training before its end and keep what it has reached."""


class StopTraining(Exception):
    """Raised by a report of the training: somebody wants what has been reached so far.

    The training goes on from there as if it had come to its end: what it was busy with is left out.
    """
