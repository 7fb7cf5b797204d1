"""Name all figures, and measure some of them on a site of their own."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.arriving import train_after_upload
from bench.audit import audit
from bench.candidate import candidate
from bench.command import label_hundred, label_one, retrain_cold, retrain_warm
from bench.download import download_begins, download_rate
from bench.durable import durable_ingest
from bench.embed import embed_throughput
from bench.eta import eta
from bench.evaluation import evaluation_page
from bench.figures import Figure
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
from bench.stolen import with_stolen
from bench.tail import predict_tail, slow_clients

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


def measure(names: list[str]) -> list[Figure]:
    """Measure the named figures on one site, in this order."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="poetsweb-bench-") as folder:
        bench = BenchmarkSite(Path(folder))
        try:
            for name in names:
                begun = time.monotonic()
                figure = with_stolen(partial(FIGURES[name], bench))
                took = f"{time.monotonic() - begun:.0f} s, of which other machines took {figure.stolen:.1%}"
                print(f"{name}: {figure.ratio:.3f} {'ok' if figure.ok else 'MISSED'} ({took})", flush=True)
                figures.append(figure)
        finally:
            bench.close()
    return figures
