"""Test what goes between those who ask and the inference servers, also when one side is gone or lies."""

import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.serving.messages import Disconnected, dequeue, enqueue, receive, receive_some, send


@given(header=st.binary(max_size=300), body=st.binary(max_size=2000))
def test_message_arrives_as_it_was_sent(header: bytes, body: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, header, body)
        assert receive(theirs) == (header, body)


def test_message_may_be_larger_than_any_buffer() -> None:
    ours, theirs = socket.socketpair()
    body = bytes(range(256)) * 20_000
    with ours, theirs:
        sender = threading.Thread(target=send, args=(ours, b"", body))
        sender.start()
        assert receive(theirs) == (b"", body)
        sender.join()


@pytest.mark.parametrize("sent", [b"", b"\x05\x00", struct.pack("<IQ", 4, 2**60) + b"null" + b"a few bytes"])
def test_other_side_that_ends_early_is_noticed(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(sent)
        with pytest.raises(Disconnected):
            receive(theirs)


def test_answer_of_unbelievable_length_is_not_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, b"", bytes(1000))
        with pytest.raises(Disconnected):
            receive(theirs, most=999)


def test_connections_are_taken_in_the_order_in_which_they_came() -> None:
    asking, answering = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with asking, answering:
        waiting = [enqueue(asking, 100 + number) for number in range(5)]
        for number, connection in enumerate(waiting):
            connection.sendall(bytes([number]))
        for number in range(5):
            ticket, taken = dequeue(answering)
            with taken:
                assert (ticket, taken.recv(1)) == (100 + number, bytes([number]))
            waiting[number].close()


def test_server_that_ends_before_it_answers_is_noticed() -> None:
    asking, answering = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with asking, answering, enqueue(asking, 1) as connection:
        dequeue(answering)[1].close()
        with pytest.raises(Disconnected):
            receive_some(connection)
