"""The messages between a process that asks and an inference server.

A question goes to whichever server is free next: its sender puts one end of a new pair of sockets into a queue that all
servers take from, in the order in which they were put, with a ticket by which the turn is known. On the pair, the
question and the answer are each a header and a body. Answers are numbers, JSON and sentences, never objects:
a picture may have taken the server over.

A message is one call of the system wherever it fits: with each, a thread gives up the interpreter to others.
"""

import socket
import struct

_LENGTHS, _TICKET = struct.Struct("<IQ"), struct.Struct("<Q")
_PIECE = 2**16


class Disconnected(OSError):
    """The other side is gone."""


def send(connection: socket.socket, head: bytes, body: bytes) -> None:
    """Send a header and a body."""
    connection.sendall(_LENGTHS.pack(len(head), len(body)) + head + body[:_PIECE])
    if len(body) > _PIECE:
        connection.sendall(memoryview(body)[_PIECE:])


def receive(connection: socket.socket, *, most: int = 2**32, begun: bytes = b"") -> tuple[bytes, bytes]:
    """Return a header and a body, of which some bytes may have come already: the only message from the other side.

    Raise Disconnected, also if they have more bytes than is believable.
    """
    data = bytearray(begun)
    _read(connection, data, _LENGTHS.size)
    head, body = _LENGTHS.unpack_from(data)
    if head + body > most:
        raise Disconnected
    start = _LENGTHS.size + head
    _read(connection, data, start + body)
    return bytes(data[_LENGTHS.size : start]), bytes(memoryview(data)[start : start + body])


def _read(connection: socket.socket, data: bytearray, count: int) -> None:
    """Read until there are so many bytes, without believing that they will come: memory is taken as they do."""
    while len(data) < count:
        data += receive_some(connection)


def receive_some(connection: socket.socket) -> bytes:
    """Wait for the next bytes. Raise TimeoutError, Disconnected."""
    part = connection.recv(_PIECE)
    if not part:
        raise Disconnected
    return part


def enqueue(queue: socket.socket, ticket: int) -> socket.socket:
    """Put a new connection into the queue and return our end of it. Raise TimeoutError if the queue stays full."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            socket.send_fds(queue, [_TICKET.pack(ticket)], [theirs.fileno()])
        except BaseException:
            ours.close()
            raise
    return ours


def dequeue(queue: socket.socket) -> tuple[int, socket.socket]:
    """Wait for the next ticket and connection in the queue."""
    while True:
        ticket, descriptors, _, _ = socket.recv_fds(queue, _TICKET.size, 1)
        if descriptors:
            return int(_TICKET.unpack(ticket)[0]), socket.socket(fileno=descriptors[0])
