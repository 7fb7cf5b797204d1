"""Measure fine_tune: the steps of fine-tuning on the running site, beside a bare loop over Keras' own train_step."""

import itertools
import os
import subprocess
import sys

from bench.figures import Figure, compare, rate_figure
from bench.site import BenchmarkSite
from tests.site import ROOT

PICTURES = 120
EPOCHS = 2
EXTENT = "all"
ROUNDS = 2
SECONDS = 600


def fine_tune(bench: BenchmarkSite) -> Figure:
    """Measure the steps with everything they wait for: the decoding of pictures and the writing of progress.

    Validation and checkpoints come between epochs and are not counted.
    """
    from ml.training.fine_tuning.pictures import BATCH

    bench.project  # noqa: B018 - the first job of the running worker
    slug = bench.new_project("Fine-tune")
    bench.finish(bench.send_zip(slug, PICTURES))
    seeds = itertools.count(1)

    def tune() -> float:
        """Return the seconds for a step on the site."""
        config = {"fine_tuning": EXTENT, "fine_tuning_epochs": EPOCHS, "seed": next(seeds)}
        job = bench.finish(bench.train(slug, **config), seconds=SECONDS)
        return BATCH / float(job.state["measured"]["step_rate"])

    def bare() -> float:
        command = [sys.executable, "-m", "bench.keras_loop", EXTENT, str(BATCH), str(EPOCHS * PICTURES // BATCH)]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        return float(done.stdout.split()[-1])

    return rate_figure("fine_tune", "steps/s", compare(tune, [[bare]], rounds=ROUNDS), least=0.85)
