"""Forbid system calls that files have no say in, with seccomp, which every Linux process may use.

Landlock says which files may be opened; it does not stop a process from connecting to a Unix socket whose path it
knows, from reading the memory of its siblings, or from sending them signals. The filter is a classic BPF program, see
https://docs.kernel.org/userspace-api/seccomp_filter.html; which calls it refuses is in `ml.sandbox.calls`.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

from ml.sandbox.calls import CLONE3, MACHINES, REFUSED, Rule, rules_for

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _GET_SECCOMP, _MODE_FILTER = 38, 22, 21, 2
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF operations
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16  # in struct seccomp_data, little endian; 8 bytes an argument
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE, _MISSING = _FAIL | errno.EPERM, _FAIL | errno.ENOSYS
_X32 = 0x40000000  # the bit of a second set of numbers on x86-64
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_...


def restrict_calls(*, online: bool) -> bool:
    """Forbid sockets, new processes and what reaches other ones, for this process and its threads.

    With `online`, sockets of the internet stay allowed. Return whether the restrictions are in force.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in MACHINES:
        return False
    program = b"".join(_filter(machine, online=online))
    buffer = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return bool(libc.prctl(_SET_SECCOMP, _MODE_FILTER, described, 0, 0) == 0)


def can_restrict_calls() -> bool:
    """Return whether `restrict_calls` would work here."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return False
    return bool(ctypes.CDLL(None).prctl(_GET_SECCOMP, 0, 0, 0, 0) >= 0)


def _filter(machine: str, *, online: bool) -> list[bytes]:
    """Return the instructions, 8 bytes each."""
    place = MACHINES.index(machine)
    lines = [
        _line(_LOAD, _ARCHITECTURE_AT),
        _line(_JUMP_EQUAL, _ARCHITECTURES[machine], yes=1),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER_AT),
    ]
    if machine == "x86_64":
        lines += [_line(_JUMP_AT_LEAST, _X32, no=1), _line(_RETURN, _KILL)]
    for numbers in REFUSED.values():
        lines += _case(numbers[place], [_line(_RETURN, _REFUSE)])
    lines += _case(CLONE3[place], [_line(_RETURN, _MISSING)])
    for numbers, rules in rules_for(os.getpid(), online=online).items():
        checks = [line for rule in rules for line in _check(rule)]
        lines += _case(numbers[place], [*checks, _line(_RETURN, _ALLOW)])
    return [*lines, _line(_RETURN, _ALLOW)]


def _case(number: int | None, then: list[bytes]) -> list[bytes]:
    """Return instructions that do what is given for the call of this number, which this processor may lack."""
    return [] if number is None else [_line(_JUMP_EQUAL, number, no=len(then)), *then]


def _check(rule: Rule) -> list[bytes]:
    """Return instructions that refuse a call against the rule, and go on to the next one otherwise."""
    lines = [_line(_LOAD, _ARGUMENTS_AT + 8 * rule.argument)]
    for value in rule.refused:
        lines += [_line(_JUMP_EQUAL, value, no=1), _line(_RETURN, _REFUSE)]
    if rule.bit:
        lines += [_line(_JUMP_IF_SET, rule.bit, yes=1), _line(_RETURN, _REFUSE)]
    if rule.allowed is not None:
        left = range(len(rule.allowed), 0, -1)
        lines += [_line(_JUMP_EQUAL, value, yes=skip) for value, skip in zip(rule.allowed, left, strict=True)]
        lines.append(_line(_RETURN, _REFUSE))
    return lines


def _line(operation: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """Return an instruction; a jump skips `yes` or `no` instructions."""
    return struct.pack("=HBBI", operation, yes, no, value)
