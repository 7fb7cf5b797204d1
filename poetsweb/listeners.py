"""Stop listening so that no client is told "connected" and then hears nothing.

The system takes connections on a listener's behalf, and when the listener is closed it resets those that nobody has
accepted: a proxy cannot know whether such a request was begun, and gives up anything but a GET. So a site that stops
first lets the system drop new ones unseen, which the client repeats after a second and finds refused; a proxy asks
another machine then. Meanwhile the workers accept all that are on their way.
"""

import ctypes
import os
import socket
import struct
import sys
from contextlib import suppress
from functools import partial

from gunicorn.sock import BaseSocket

# What is filtered begins with the TCP header. Codes: linux/bpf_common.h
_FLAGS_BYTE, _SYN = 13, 0x02
_LOAD_BYTE, _JUMP_IF_SET, _RETURN = 0x30, 0x45, 0x06
_DROP, _WHOLE = 0, 0xFFFFFFFF
_DROP_SYN = b"".join(
    struct.pack("=HBBI", *line)
    for line in (
        (_LOAD_BYTE, 0, 0, _FLAGS_BYTE),
        (_JUMP_IF_SET, 0, 1, _SYN),
        (_RETURN, 0, 0, _DROP),
        (_RETURN, 0, 0, _WHOLE),
    )
)
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h


def drop_new_connections(listener: socket.socket) -> None:
    """Let the system drop the first packet of each new connection, where it can (Linux)."""
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(_DROP_SYN, len(_DROP_SYN))
    with suppress(OSError):
        described = struct.pack("@HP", len(_DROP_SYN) // 8, ctypes.addressof(program))
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


def drop_before_closing(listener: BaseSocket) -> None:
    """Let this process, and none that is forked from it, drop new connections when it closes the listener.

    Gunicorn's first process closes it when the site stops; a worker does so as well when it alone is replaced.
    """
    listener.close = partial(_close, listener, os.getpid())


def _close(listener: BaseSocket, process: int) -> None:
    if listener.sock is not None and os.getpid() == process:
        drop_new_connections(listener.sock)
    type(listener).close(listener)
