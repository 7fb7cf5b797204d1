"""Measure predict_tail and slow_clients: how evenly the site answers, and what others do to that."""

import socket
from contextlib import ExitStack
from statistics import median, quantiles

from bench.figures import Figure
from bench.load import Target
from bench.predict import CLIENTS, warm_targets
from bench.site import BenchmarkSite

SECONDS, ROUNDS = 6.0, 5
HALF_OPEN = 200
HALF_REQUEST = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
WORST_TAIL, WORST_SLOWDOWN = 1.6, 2.0


def predict_tail(bench: BenchmarkSite) -> Figure:
    """Measure the milliseconds within which 99 of 100 answers come, beside the median, with several clients at once.

    A single pause of the machine makes the last of a hundred late, so the round in the middle of several counts.
    """
    classify, _ = warm_targets(bench)
    found = [_middle_and_late(bench.load.times_of_many(classify, CLIENTS, SECONDS)) for _ in range(ROUNDS)]
    middle, late = sorted(found, key=lambda pair: pair[1] / pair[0])[ROUNDS // 2]
    ratio = late / middle
    ok = ratio <= WORST_TAIL
    return Figure("predict_tail", late * 1000, "ms", middle * 1000, ratio, f"ratio <= {WORST_TAIL}", ok)


def _middle_and_late(times: list[float]) -> tuple[float, float]:
    """Return the seconds within which half of the answers come, and 99 of 100."""
    return median(times), quantiles(times, n=100)[98]


def slow_clients(bench: BenchmarkSite) -> Figure:
    """Measure the milliseconds of an answer while others have half-open connections, beside those without them.

    Of a page that does nothing and of a classification, the one that suffers more is shown.
    """
    classify, empty = warm_targets(bench)
    found = [_beside_half_open(bench, target) for target in (empty, classify)]
    alone, beside = max(found, key=lambda pair: pair[1] / pair[0])
    ratio = beside / alone
    ok = ratio <= WORST_SLOWDOWN
    return Figure("slow_clients", beside * 1000, "ms", alone * 1000, ratio, f"ratio <= {WORST_SLOWDOWN}", ok)


def _beside_half_open(bench: BenchmarkSite, target: Target) -> tuple[float, float]:
    """Return the median seconds of an answer (alone, beside half-open connections)."""
    alone = median(bench.load.times_of_many(target, 1, SECONDS / 2))
    with ExitStack() as opened:
        for _ in range(HALF_OPEN):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", target.port), 10))
            connection.sendall(HALF_REQUEST)
        return alone, median(bench.load.times_of_many(target, 1, SECONDS / 2))
