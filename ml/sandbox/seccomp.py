"""Forbid system calls that files have no say in, with seccomp, which every Linux process may use.

Landlock says which files may be opened; it does not stop a process from connecting to a Unix socket whose path it
knows, from reading the memory of its siblings, or from sending them signals. The filter is a classic BPF program, see
https://docs.kernel.org/userspace-api/seccomp_filter.html; the numbers are those of the kernel's tables.
"""

import ctypes
import errno
import platform
import struct
import sys
from dataclasses import dataclass

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _GET_SECCOMP, _MODE_FILTER = 38, 22, 21, 2
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF operations
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16  # in struct seccomp_data, little endian
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_X32 = 0x40000000  # the bit of a second set of numbers on x86-64
_INTERNET_FAMILIES = (2, 10, 16)  # AF_INET, AF_INET6, and AF_NETLINK, which the resolver of names asks


@dataclass(frozen=True)
class _Processor:
    architecture: int  # AUDIT_ARCH_...
    socket: int
    # ptrace, process_vm_readv and _writev, kill, pidfd_open, pidfd_send_signal, io_uring_setup, shmget, shmat, shmctl,
    # shmdt, mq_open, add_key, request_key, keyctl, bpf, userfaultfd, perf_event_open, mount, umount2, unshare, setns,
    # open_by_handle_at
    refused: tuple[int, ...]
    has_x32: bool = False


_PROCESSORS = {
    "x86_64": _Processor(
        0xC000003E,
        41,
        (
            *(101, 310, 311, 62, 434, 424, 425, 29, 30, 31, 67),
            *(240, 248, 249, 250, 321, 323, 298, 165, 166, 272, 308, 304),
        ),
        has_x32=True,
    ),
    "aarch64": _Processor(
        0xC00000B7,
        198,
        (
            117,
            270,
            271,
            129,
            434,
            424,
            425,
            194,
            196,
            195,
            197,
            180,
            217,
            218,
            219,
            280,
            282,
            241,
            40,
            39,
            97,
            268,
            265,
        ),
    ),
}


def restrict_calls(*, online: bool) -> bool:
    """Forbid sockets and what reaches other processes, for this process, its threads and its children.

    With `online`, sockets of the internet stay allowed. Return whether the restrictions are in force.
    """
    processor = _PROCESSORS.get(platform.machine())
    if sys.platform != "linux" or processor is None:
        return False
    program = b"".join(_filter(processor, online=online))
    buffer = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return bool(libc.prctl(_SET_SECCOMP, _MODE_FILTER, described, 0, 0) == 0)


def can_restrict_calls() -> bool:
    """Return whether `restrict_calls` would work here."""
    if sys.platform != "linux" or platform.machine() not in _PROCESSORS:
        return False
    return bool(ctypes.CDLL(None).prctl(_GET_SECCOMP, 0, 0, 0, 0) >= 0)


def _filter(processor: _Processor, *, online: bool) -> list[bytes]:
    """Return the instructions, 8 bytes each."""
    lines = [
        _line(_LOAD, _ARCHITECTURE_AT),
        _line(_JUMP_EQUAL, processor.architecture, yes=1),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER_AT),
    ]
    if processor.has_x32:
        lines += [_line(_JUMP_AT_LEAST, _X32, no=1), _line(_RETURN, _KILL)]
    for number in processor.refused:
        lines += [_line(_JUMP_EQUAL, number, no=1), _line(_RETURN, _REFUSE)]
    families = _INTERNET_FAMILIES if online else ()
    rest = [_line(_LOAD, _FIRST_ARGUMENT_AT)]
    for place, family in enumerate(families):
        rest.append(_line(_JUMP_EQUAL, family, yes=len(families) - place))
    rest.append(_line(_RETURN, _REFUSE))
    return [*lines, _line(_JUMP_EQUAL, processor.socket, no=len(rest)), *rest, _line(_RETURN, _ALLOW)]


def _line(operation: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """Return an instruction; a jump skips `yes` or `no` instructions."""
    return struct.pack("=HBBI", operation, yes, no, value)
