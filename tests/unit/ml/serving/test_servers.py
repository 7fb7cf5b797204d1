"""Test real inference servers: the same answers as in this process, and what a hostile picture can do to them."""

import contextlib
import errno
import fcntl
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from ml.images.budget import TooBusy, open_lock
from ml.images.decoding import DEFAULT_LIMITS, ImageRejected
from ml.images.isolated import CRASHES
from ml.images.rendering import Framing
from ml.serving import client
from ml.serving.askers import asking_for
from ml.serving.batches import extract_features
from ml.serving.busy import BusyTimes, make_shared_memory
from ml.serving.client import NoTurn, RemoteInference
from ml.serving.current import use_inference
from ml.serving.inference import LocalInference, Network, Overlay
from ml.serving.messages import enqueue
from ml.serving.servers import ServerPool
from tests.fragile_codec import ENDLESS, deadly, python_path
from tests.pictures import make_jpeg


@pytest.fixture
def pool(tmp_path: Path, tiny_backbone: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerPool]:
    """Run two servers with a codec that has a hole."""
    monkeypatch.setenv("PYTHONPATH", python_path(tmp_path))
    made = ServerPool.make()
    for slot in range(2):
        made.keep_server(slot, threads=2, backbones=tiny_backbone)
    yield made
    made.close()


@pytest.fixture
def remote(pool: ServerPool) -> RemoteInference:
    return RemoteInference(pool.asking, pool.busy)


@pytest.fixture
def network(tiny_backbone: Path) -> Network:
    return Network(next(tiny_backbone.glob("*.tflite")))


def servers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "ml.serving.server" in " ".join(one.cmdline())]


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_answers_are_those_of_this_process(remote: RemoteInference, network: Network) -> None:
    local = LocalInference()
    for data in (make_jpeg(1), make_jpeg(2, size=(300, 20))):
        assert remote.verify(data) == local.verify(data)
        assert remote.thumbnail(data, 64) == local.thumbnail(data, 64)
        for framing in Framing:
            assert (remote.pixels(data, 32, framing=framing) == local.pixels(data, 32, framing=framing)).all()
        np.testing.assert_allclose(remote.features(data, network), local.features(data, network), rtol=1e-5)


def test_heat_is_that_of_this_process(remote: RemoteInference, network: Network) -> None:
    local, data = LocalInference(), make_jpeg(2, size=(300, 20))
    found = remote.feature_map(data, network)
    assert found.shape == (16, 16, 48)
    np.testing.assert_allclose(found, local.feature_map(data, network), atol=1e-5)
    warmth = np.array([[0, 0.5], [1, 0.25]], np.float32)
    for how in (Overlay(), Overlay(Framing.CENTRE, "PNG")):
        assert remote.overlay(data, warmth, 64, how) == local.overlay(data, warmth, 64, how)
    with pytest.raises(ImageRejected):
        remote.overlay(b"<html>", warmth, 64, Overlay())


def test_picture_that_cannot_be_read_gets_the_same_sentence(remote: RemoteInference) -> None:
    small = replace(DEFAULT_LIMITS, max_pixels=100)
    for data, limits in ((b"<html>", DEFAULT_LIMITS), (b"", DEFAULT_LIMITS), (make_jpeg(1), small)):
        with pytest.raises(ImageRejected) as there:
            remote.verify(data, limits)
        with pytest.raises(ImageRejected, match=f"^{there.value}$"):
            LocalInference().verify(data, limits)


def test_picture_that_crashes_its_server_is_refused_and_others_are_answered(remote: RemoteInference) -> None:
    before = {server.pid for server in servers()}
    with pytest.raises(ImageRejected, match=CRASHES):
        remote.verify(deadly())
    assert remote.verify(make_jpeg(1)).format == "JPEG"
    until(lambda: len(servers()) == 2)
    assert not before & {server.pid for server in servers()}  # it was tried with both


def test_server_that_is_killed_over_a_good_picture_costs_nothing(remote: RemoteInference) -> None:
    found: list[object] = []
    remote.verify(make_jpeg(0))  # they run
    for server in servers():
        server.suspend()
    asker = threading.Thread(target=lambda: found.append(remote.verify(make_jpeg(1)).format))
    asker.start()
    time.sleep(0.2)
    one, other = servers()
    one.kill()
    other.resume()
    asker.join(30)
    assert found == ["JPEG"]


def test_server_that_never_comes_back_is_ended(
    remote: RemoteInference, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(client, "AGAIN_SECONDS", 0.5)
    path = tmp_path / "codec" / "sitecustomize.py"
    path.write_text(path.read_text() + "import ml.serving.busy\nml.serving.busy.STALE_SECONDS = 1.0\n")
    remote.verify(make_jpeg(1))
    for server in servers():
        server.kill()  # the next ones have less time
    with pytest.raises(ImageRejected, match=CRASHES):
        remote.verify(deadly(ENDLESS))
    assert remote.verify(make_jpeg(1)).format == "JPEG"


def test_nobody_waits_for_ever_for_a_turn(pool: ServerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    RemoteInference(pool.asking, pool.busy).verify(make_jpeg(0))  # the first of them runs
    until(lambda: len(servers()) == 2)
    monkeypatch.setattr(client, "TURN_SECONDS", 0.3)
    for server in servers():
        server.suspend()
    with pytest.raises(NoTurn, match="busy"):
        RemoteInference(pool.asking, pool.busy).verify(make_jpeg(1))
    with pytest.raises(NoTurn):
        RemoteInference(pool.asking, pool.busy).verify(make_jpeg(1) + bytes(3_000_000))  # more than the buffers hold


def test_answer_is_waited_for_once_the_turn_has_come(pool: ServerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = RemoteInference(pool.asking, pool.busy)
    remote.verify(make_jpeg(0))  # the first of them runs
    monkeypatch.setattr(client, "TURN_SECONDS", 0.1)
    large = make_png(9000, 9000)  # takes several times that long
    assert remote.verify(large, replace(DEFAULT_LIMITS, max_pixels=10**9, wait_seconds=20)).width == 9000


def fill(pool: ServerPool) -> None:
    """Put as many into the queue as there is room for, who do not wait any more."""
    pool.asking.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            enqueue(pool.asking, 1).close()
    pool.asking.setblocking(True)


def test_nobody_waits_for_ever_to_get_into_a_full_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TURN_SECONDS", 0.05)
    pool = ServerPool.make()  # whose servers are all dead
    try:
        fill(pool)
        asker = threading.Thread(
            target=lambda: RemoteInference(pool.asking, pool.busy).verify(make_jpeg(1)), daemon=True
        )
        monkeypatch.setattr(threading, "excepthook", lambda failed: failures.append(failed.exc_type))
        failures: list[object] = []
        asker.start()
        asker.join(5)
        assert failures == [NoTurn]
    finally:
        pool.close()


def test_server_is_started_once_the_system_lets_it(tiny_backbone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, tries = subprocess.Popen, []

    def no_process_left(*arguments: object, **options: object) -> object:
        tries.append(arguments)
        if len(tries) == 1:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return real(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("ml.serving.servers.subprocess.Popen", no_process_left)
    pool = ServerPool.make()
    try:
        pool.keep_server(0, threads=1, backbones=tiny_backbone)
        assert RemoteInference(pool.asking, pool.busy).verify(make_jpeg(1)).format == "JPEG"
    finally:
        pool.close()


def test_one_bad_picture_spoils_no_other_of_its_request(remote: RemoteInference, network: Network) -> None:
    use_inference(remote)
    try:
        pictures = [make_jpeg(1), b"no picture", deadly(), make_jpeg(2)]
        found = extract_features(pictures, network, DEFAULT_LIMITS)
    finally:
        use_inference(LocalInference())
    assert [isinstance(one, ImageRejected) for one in found] == [False, True, True, False]
    np.testing.assert_allclose(found[0], LocalInference().features(pictures[0], network), rtol=1e-5)


def test_servers_get_no_secrets(pool: ServerPool, monkeypatch: pytest.MonkeyPatch, tiny_backbone: Path) -> None:
    monkeypatch.setenv("SECRET_KEY", "of the site")
    pool.keep_server(2, threads=1, backbones=tiny_backbone)
    until(lambda: len(servers()) == 3)
    assert not any("SECRET_KEY" in server.environ() for server in servers())


def test_servers_end_with_the_process_that_keeps_them() -> None:
    program = (
        "import pathlib, sys, time, psutil\nfrom ml.serving.servers import ServerPool\n"
        "pool = ServerPool.make()\npool.keep_server(0, threads=1, backbones=pathlib.Path('.'))\n"
        "time.sleep(1)\nprint(*[one.pid for one in psutil.Process().children()], flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout is not None
        kept = [int(pid) for pid in keeper.stdout.readline().split()]
        keeper.kill()
    assert kept
    until(lambda: not any(psutil.pid_exists(pid) for pid in kept))


def test_server_knows_whether_it_works_alone() -> None:
    descriptor = make_shared_memory()
    one, other = BusyTimes(descriptor), BusyTimes(descriptor)
    one.begin(0, 5)
    assert one.alone(0)
    other.begin(1, 6)
    assert not one.alone(0)
    other.end(1)
    assert one.alone(0)
    os.close(descriptor)


def test_large_picture_waits_for_the_one_in_hand_and_keeps_no_server_waiting(
    remote: RemoteInference, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, patient = make_png(4000, 9000), replace(DEFAULT_LIMITS, wait_seconds=20)
    held = open_lock()
    fcntl.flock(held, fcntl.LOCK_EX)
    with ThreadPoolExecutor(client.LARGE_WAITING) as threads:
        waiting = [threads.submit(remote.verify, large, patient) for _ in range(client.LARGE_WAITING)]
        until(lambda: not remote._places.free)
        assert remote.verify(make_jpeg(1)).format == "JPEG"
        with pytest.raises(TooBusy):  # enough wait already
            remote.verify(large, patient)
        os.close(held)
        assert [future.result().height for future in waiting] == [9000] * client.LARGE_WAITING


def test_one_person_waits_with_one_large_picture_and_leaves_room_for_others(remote: RemoteInference) -> None:
    large, patient = make_png(4000, 9000), replace(DEFAULT_LIMITS, wait_seconds=20)

    def verify_for(name: str) -> object:
        with asking_for(lambda: name):
            return remote.verify(large, patient)

    held = open_lock()
    fcntl.flock(held, fcntl.LOCK_EX)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(verify_for, "one")
        until(lambda: remote._places.free == client.LARGE_WAITING - 1)
        with pytest.raises(TooBusy):
            verify_for("one")
        second = threads.submit(verify_for, "another")
        until(lambda: not remote._places.free)
        os.close(held)
        assert first.result() == second.result()
    assert remote._places.free == client.LARGE_WAITING


def test_several_large_pictures_of_one_request_are_all_answered(remote: RemoteInference, network: Network) -> None:
    use_inference(remote)
    try:
        with asking_for(lambda: "one"):
            found = extract_features([make_png(4000, 9000)] * 5, network, replace(DEFAULT_LIMITS, wait_seconds=20))
    finally:
        use_inference(LocalInference())
    assert not [one for one in found if isinstance(one, ImageRejected)]
    assert len(found) == 5


def test_large_picture_is_not_waited_for_for_ever(remote: RemoteInference) -> None:
    held = open_lock()
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(TooBusy):
        remote.thumbnail(make_png(4000, 9000), 64, replace(DEFAULT_LIMITS, wait_seconds=0.2))
    os.close(held)


def make_png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("lie", [{"format": "../x"}, {"width": -1}, {"width": 10**9}, {"height": 0}])
def test_lies_of_a_server_that_was_taken_over_are_not_believed(
    lie: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_jpeg(1)
    asking, answering = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with asking, answering:
        inference = RemoteInference(asking, make_shared_memory())
        told = {**asdict(LocalInference().verify(data)), "sha256": "0" * 64, **lie}
        monkeypatch.setattr(inference, "_ask", lambda data, *question: json.dumps(told).encode())
        with pytest.raises(RuntimeError, match="impossible facts"):
            inference.verify(data)
        monkeypatch.setattr(inference, "_ask", lambda data, *question: json.dumps({**told, **honest(data)}).encode())
        assert inference.verify(data) == LocalInference().verify(data)


def honest(data: bytes) -> dict[str, object]:
    """Return the facts but for the digest, which nobody believes."""
    facts = asdict(LocalInference().verify(data))
    return {name: value for name, value in facts.items() if name != "sha256"}
