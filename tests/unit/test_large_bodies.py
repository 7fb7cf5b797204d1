"""Test whose large body is streamed next, and which sender is given up."""

import errno
import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from poetsweb import large_bodies
from poetsweb.large_bodies import LEAST_RATE, PAUSE_SECONDS, WAIT_SECONDS, PacedSocket, Turns


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(large_bodies, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


Receive = Callable[[float, int], None]


@pytest.fixture
def receive(clock: Clock) -> Iterator[Receive]:
    """Provide what receives so many bytes after so many seconds."""
    ours, theirs = socket.socketpair()

    def take(size: int) -> bytes:
        clock.now += take.seconds
        return ours.recv(size)

    take.seconds = 0.0
    paced = PacedSocket(SimpleNamespace(recv=take))

    def receive(seconds: float, size: int) -> None:
        take.seconds = seconds
        theirs.sendall(size * b"x")
        assert len(paced.recv(size)) == size

    with ours, theirs:
        yield receive


def test_dripping_bytes_are_given_up(receive: Receive) -> None:
    receive(PAUSE_SECONDS / 2, 1)
    with pytest.raises(OSError, match="too slow") as caught:
        receive(PAUSE_SECONDS / 2 + 0.1, 1)
    assert caught.value.errno == errno.ECONNRESET


def test_slow_uplink_with_pauses_is_not(receive: Receive) -> None:
    for _ in range(100):
        receive(1, 30_000)
    receive(PAUSE_SECONDS - 1, 3 * LEAST_RATE)
    for _ in range(100):
        receive(1, LEAST_RATE)


def test_bytes_of_before_buy_no_longer_pause(receive: Receive) -> None:
    receive(0.1, 100_000)
    with pytest.raises(OSError, match="too slow"):
        receive(PAUSE_SECONDS + 0.1, 1)


def test_time_of_the_server_does_not_count(receive: Receive, clock: Clock) -> None:
    for _ in range(3):
        receive(1, LEAST_RATE)
        clock.now += 10 * PAUSE_SECONDS


def test_other_client_has_a_place_at_once() -> None:
    turns = Turns(8)
    assert [turns.begin(number, "a") for number in range(5)] == 4 * [True] + [False]
    assert turns.begin("other", "b")


def test_only_place_is_for_anybody() -> None:
    turns = Turns(1)
    assert turns.begin(1, "a")
    assert not turns.begin(2, "b")


def test_proxy_may_have_all_places() -> None:
    turns = Turns(4)
    assert [turns.begin(number, "") for number in range(5)] == 4 * [True] + [False]


def test_clients_wait_in_turns(clock: Clock) -> None:
    turns = Turns(2)
    assert turns.begin("a", "a")
    assert turns.begin("b", "b")
    for conn in ("a1", "a2", "b1", "c1"):
        assert turns.wait(conn, conn[0])
    assert turns.begin_next() is None
    order = []
    for ended in ("a", "b", "a1", "b1"):
        turns.end(ended)
        order.append(turns.begin_next())
    assert order == ["a1", "b1", "c1", "a2"]
    assert turns.begin_next() is None


def test_client_that_has_its_share_waits_while_others_go(clock: Clock) -> None:
    turns = Turns(4)
    for number in (1, 2):
        assert turns.begin(number, "a")
    assert turns.wait("a3", "a")
    assert turns.begin_next() is None
    assert turns.wait("b1", "b")
    assert turns.begin_next() == "b1"
    assert "b1" in turns
    assert "a3" not in turns


def test_waiting_ends(clock: Clock) -> None:
    turns = Turns(1)
    turns.begin(1, "a")
    turns.wait(2, "a")
    clock.now = WAIT_SECONDS / 2
    turns.wait(3, "a")
    assert turns.give_up_late() == []
    clock.now = WAIT_SECONDS + 1
    assert turns.give_up_late() == [2]
    turns.end(1)
    assert turns.begin_next() == 3
    assert turns.give_up_late() == []


def test_not_everybody_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_bodies, "MOST_WAITING", 5)
    monkeypatch.setattr(large_bodies, "MOST_WAITING_OF_ONE", 2)
    turns = Turns(1)
    assert [turns.wait(number, "a") for number in range(3)] == [True, True, False]
    assert [turns.wait(number, "") for number in range(4)] == [True, True, True, False]
