"""The health check of a worker's container: it asks for the worker of this machine."""

import socket

import pytest

from classifier.alive import main
from classifier.workers import record_worker


@pytest.mark.parametrize(("name", "status"), [("trainer", 0), ("worker", 1)])
def test_status_tells_whether_the_worker_was_heard_of(name: str, status: int) -> None:
    record_worker(f"trainer@{socket.gethostname()}", ["train"])
    record_worker("worker@another-machine", ["embed"])
    assert main(name) == status
