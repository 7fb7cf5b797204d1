"""The tests reach this machine alone."""

import socket

import pytest
from pytest_socket import SocketConnectBlockedError

DOCUMENTATION = "192.0.2.1"  # an address that is nobody's, RFC 5737


@pytest.mark.filterwarnings("ignore:A test tried:UserWarning")  # and would be an error by itself
def test_other_machines_are_out_of_reach() -> None:
    with pytest.raises(SocketConnectBlockedError):
        socket.create_connection((DOCUMENTATION, 80), timeout=1)


def test_this_machine_is_within_reach() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        socket.create_connection(server.getsockname(), timeout=5).close()
