"""Measure predict_latency and predict_throughput: an answer over HTTP beside the same work in process."""

from bench.figures import Figure, compare, rate_figure
from bench.load import OverHttp, Target, classify_target, empty_target
from bench.raw import CORES, InProcess
from bench.stage import Stage

CLIENTS = 8
PHOTOS = 64
TURNS = 400
RAW_PICTURES = 160
SECONDS = 3.0
THROUGHPUT_ROUNDS = 5


def predict_latency(stage: Stage) -> Figure:
    """Measure the milliseconds for one answer.

    Whether the raw answer is faster with one thread or with all cores is decided first: the slower way would, in turns
    with the others, only disturb the caches and the scheduler.
    """
    classify, empty = _warm_targets(stage)
    in_process = [InProcess(stage.photos[:PHOTOS], stage.backbone_file, threads) for threads in sorted({1, CORES})]
    took = stage.load.medians_in_turns(in_process, PHOTOS)
    fastest = in_process[took.index(min(took))]
    real, nothing, work = stage.load.medians_in_turns([OverHttp(classify), OverHttp(empty), fastest], TURNS)
    limit = work + nothing
    ratio = real / limit
    return Figure("predict_latency", real * 1000, "ms", limit * 1000, ratio, "ratio <= 1.15", ratio <= 1.15)


def predict_throughput(stage: Stage) -> Figure:
    """Measure the answers per second with several clients at once."""
    classify, empty = _warm_targets(stage)
    nothing = [lambda: stage.load.time_of_many(empty, CLIENTS, SECONDS / 2)]
    real = lambda: stage.load.time_of_many(classify, CLIENTS, SECONDS)  # noqa: E731
    found = compare(real, [stage.raw.ways("answer", RAW_PICTURES), nothing], rounds=THROUGHPUT_ROUNDS)
    return rate_figure("predict_throughput", "requests/s", found, least=0.85)


def _warm_targets(stage: Stage) -> tuple[Target, Target]:
    """Return the two targets after every web process has answered in its threads."""
    port, key = stage.site.port, stage.client.key
    classify = classify_target(port, [stage.project], key, stage.photos[:PHOTOS])
    for _ in range(3):
        stage.load.send_all(classify, 2 * CLIENTS)
    return classify, empty_target(port)
