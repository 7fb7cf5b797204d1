"""The messages between a process that asks and an inference server.

A question goes to whichever server is free next: its sender puts one end of a new pair of sockets into a queue that all
servers take from, in the order in which they were put. On the pair, the server says when the turn has come; the
question and the answer are each a header and a body. Answers are numbers, JSON and sentences, never objects:
a picture may have taken the server over.
"""

import json
import socket
import struct
from typing import Any

_LENGTHS = struct.Struct("<IQ")
_MARK = b"?"
_PIECE = 2**20


class Disconnected(OSError):
    """The other side is gone."""


def send(connection: socket.socket, header: Any, body: bytes) -> None:
    """Send a header, which JSON can carry, and a body."""
    head = json.dumps(header).encode()
    connection.sendall(_LENGTHS.pack(len(head), len(body)) + head)
    if body:  # without one the other side may have answered and gone already
        connection.sendall(body)


def receive(connection: socket.socket, *, most: int = 2**32) -> tuple[Any, bytes]:
    """Return a header and a body. Raise Disconnected, also if they have more bytes than is believable."""
    head, body = _LENGTHS.unpack(_read(connection, _LENGTHS.size))
    if head + body > most:
        raise Disconnected
    return json.loads(_read(connection, head)), bytes(_read(connection, body))


def _read(connection: socket.socket, count: int) -> bytearray:
    """Read so many bytes, without believing that they will come: memory is taken as they do."""
    data = bytearray()
    while len(data) < count:
        part = connection.recv(min(count - len(data), _PIECE))
        if not part:
            raise Disconnected
        data += part
    return data


def enqueue(queue: socket.socket) -> socket.socket:
    """Put a new connection into the queue and return our end of it. Raise TimeoutError if the queue stays full."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            socket.send_fds(queue, [_MARK], [theirs.fileno()])
        except BaseException:
            ours.close()
            raise
    return ours


def dequeue(queue: socket.socket) -> socket.socket:
    """Wait for the next connection in the queue."""
    while True:
        _, descriptors, _, _ = socket.recv_fds(queue, len(_MARK), 1)
        if descriptors:
            return socket.socket(fileno=descriptors[0])


def send_turn(connection: socket.socket) -> None:
    """Say that the turn of this connection has come."""
    connection.sendall(_MARK)


def await_turn(connection: socket.socket) -> None:
    """Wait until the turn has come. Raise TimeoutError, Disconnected."""
    _read(connection, len(_MARK))
