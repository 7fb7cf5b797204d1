"""Measure predict_latency and predict_throughput: an answer over HTTP beside the same work in process; and heat_map."""

from bench.figures import Figure, compare, rate_figure
from bench.load import OverHttp, Target, classify_target, empty_target, explain_target
from bench.raw import CORES, BareOverlay, InProcess
from bench.site import BenchmarkSite

CLIENTS = 8
PHOTOS = 64
TURNS = 400
RAW_PICTURES = 160
SECONDS = 3.0
THROUGHPUT_ROUNDS = 4
RATIO, MORE = 1.15, 0.002
HEAT_TURNS = 200
HEAT_RATIO, HEAT_MORE, HEAT_SLACK = 1.5, 0.020, 1.15


def predict_latency(bench: BenchmarkSite) -> Figure:
    """Measure the milliseconds for one answer.

    Whether the raw answer is faster with one thread or with all cores is decided first: the slower way would, in turns
    with the others, only disturb the caches and the scheduler.
    """
    classify, empty = warm_targets(bench)
    in_process = [InProcess(bench.photos[:PHOTOS], bench.backbone_file, threads) for threads in sorted({1, CORES})]
    took = bench.load.medians_in_turns(in_process, PHOTOS)
    fastest = in_process[took.index(min(took))]
    real, nothing, work = bench.load.medians_in_turns([OverHttp(classify), OverHttp(empty), fastest], TURNS)
    limit = work + nothing
    ratio = real / limit
    # What the site adds is nearly the same on any processor: beside a fast one it is a large share.
    ok = ratio <= RATIO or real - limit <= MORE
    target = f"ratio <= {RATIO}, or {MORE * 1000:.0f} ms more"
    return Figure("predict_latency", real * 1000, "ms", limit * 1000, ratio, target, ok)


def predict_throughput(bench: BenchmarkSite) -> Figure:
    """Measure the answers per second with several clients at once."""
    classify, empty = warm_targets(bench)
    nothing = [lambda: bench.load.time_of_many(empty, CLIENTS, SECONDS / 2)]
    real = lambda: bench.load.time_of_many(classify, CLIENTS, SECONDS)  # noqa: E731
    found = compare(real, [bench.raw.ways("answer", RAW_PICTURES), nothing], rounds=THROUGHPUT_ROUNDS)
    return rate_figure("predict_throughput", "requests/s", found, least=0.85)


def heat_map(bench: BenchmarkSite) -> Figure:
    """Measure the milliseconds for a picture with its heat, over HTTP, beside a plain answer over HTTP.

    Colouring the picture and writing it as PNG takes as long in a bare program, and longer on a slow processor.
    """
    classify, _ = warm_targets(bench)
    from classifier.services.explanations import OVERLAY

    explain = explain_target(bench.site.port, bench.project, bench.client.key, bench.photos[:PHOTOS])
    bench.load.send_all(explain, 2 * CLIENTS)  # both engines of every server are loaded
    ways = [OverHttp(explain), OverHttp(classify), BareOverlay(bench.photos[:PHOTOS], OVERLAY)]
    real, plain, overlay = bench.load.medians_in_turns(ways, HEAT_TURNS)
    limit = HEAT_RATIO * plain + max(HEAT_MORE, HEAT_SLACK * overlay)
    target = f"<= {HEAT_RATIO} x an answer + {HEAT_MORE * 1000:.0f} ms or {HEAT_SLACK} x the overlay alone"
    return Figure("heat_map", real * 1000, "ms", limit * 1000, real / limit, target, real <= limit)


def warm_targets(bench: BenchmarkSite) -> tuple[Target, Target]:
    """Return the targets that classify and that do nothing, after every web process has answered in its threads."""
    port, key = bench.site.port, bench.client.key
    classify = classify_target(port, [bench.project], key, bench.photos[:PHOTOS])
    for _ in range(3):
        bench.load.send_all(classify, 2 * CLIENTS)
    return classify, empty_target(port)
