"""Measure, print a table and write results.json: `python -m bench [NAME...]`.

The exit status is 1 if a target is missed.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bench.arriving import train_after_upload
from bench.audit import audit
from bench.candidate import candidate
from bench.command import label_hundred, label_one, retrain_cold, retrain_warm
from bench.download import download_begins, download_rate
from bench.durable import durable_ingest
from bench.embed import embed_throughput
from bench.eta import eta
from bench.evaluation import evaluation_page
from bench.figures import Figure, table
from bench.fine_tune import fine_tune
from bench.grid import grid_action, grid_page
from bench.ingest import ingest_throughput
from bench.memory import web_memory
from bench.near_duplicates import near_duplicates
from bench.neighbours import noisy_neighbour
from bench.open_pages import open_pages
from bench.plans import plan_archive
from bench.predict import heat_map, predict_latency, predict_throughput
from bench.resend import resend_known
from bench.retrain import growth, warm_retrain
from bench.site import BenchmarkSite
from bench.tail import predict_tail, slow_clients

RESULTS = Path(__file__).with_name("results.json")
FIGURES: dict[str, Callable[[BenchmarkSite], Figure]] = {
    "embed_throughput": embed_throughput,
    "ingest_throughput": ingest_throughput,
    "durable_ingest": durable_ingest,
    "resend_known": resend_known,
    "plan_archive": plan_archive,
    "download_begins": download_begins,
    "download_rate": download_rate,
    "grid_page": grid_page,
    "grid_action": grid_action,
    "evaluation_page": evaluation_page,
    "warm_retrain": warm_retrain,
    "train_after_upload": train_after_upload,
    "candidate": candidate,
    "predict_latency": predict_latency,
    "predict_throughput": predict_throughput,
    "predict_tail": predict_tail,
    "heat_map": heat_map,
    "slow_clients": slow_clients,
    "noisy_neighbour": noisy_neighbour,
    "growth": growth,
    "near_duplicates": near_duplicates,
    "audit": audit,
    "fine_tune": fine_tune,
    "eta": eta,
    "open_pages": open_pages,
    "web_memory": web_memory,
    "retrain_cold": retrain_cold,
    "retrain_warm": retrain_warm,
    "label_one": label_one,
    "label_hundred": label_hundred,
}
BUSY_PERCENT = 15


def main(arguments: list[str]) -> int:
    """Run the benchmarks with these command-line arguments, and return the exit status."""
    names = _parse(arguments)
    # Programs that are started find their modules compiled, as those of users do.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    busy = psutil.cpu_percent(1.0)
    if busy > BUSY_PERCENT:
        print(f"The machine is busy with other things ({busy:.0f} %): the ratios will be noisy.", flush=True)
    figures = measure(names)
    RESULTS.write_text(json.dumps([figure.as_dict() for figure in figures], indent=1) + "\n")
    print(f"\n{table(figures)}\n")
    return 0 if all(figure.ok for figure in figures) else 1


def _parse(arguments: list[str]) -> list[str]:
    parser = argparse.ArgumentParser("python -m bench", description="Measure PoetsWeb beside its limits.")
    parser.add_argument("name", nargs="*", help=f"all of them where none is named: {', '.join(FIGURES)}")
    names = parser.parse_args(arguments).name or list(FIGURES)
    for name in names:
        if name not in FIGURES:
            parser.error(f"there is no figure {name!r}; choose of {', '.join(FIGURES)}")
    return list(names)


def measure(names: list[str]) -> list[Figure]:
    """Measure the named figures on one site, in this order."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="poetsweb-bench-") as folder:
        bench = BenchmarkSite(Path(folder))
        try:
            for name in names:
                begun = time.monotonic()
                figures.append(FIGURES[name](bench))
                print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
        finally:
            bench.close()
    return figures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
