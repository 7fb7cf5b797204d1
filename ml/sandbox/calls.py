"""List the system calls that reach other processes, or that start new ones, by their numbers on each processor.

Who may signal, slow or limit a process is decided by its user, and a confined process runs under that of the site. So
what takes the number of a process is refused, or allowed only for the caller itself. No new processes may be started:
each would have limits of time and memory of its own, outlive the one that is watched, and, once that has ended,
whatever is given its number could be reached.
"""

from dataclasses import dataclass

MACHINES = ("x86_64", "aarch64")  # the order of all numbers here, which are those of the kernel's tables
_INTERNET_FAMILIES = (2, 10, 16)  # AF_INET, AF_INET6, and AF_NETLINK, which the resolver of names asks
_THREAD = 0x10000  # CLONE_THREAD
# What makes a descriptor send signals to another process: F_SETOWN, F_SETSIG, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP.
_SIGNAL_FROM_FILE, _SIGNAL_FROM_SOCKET = (8, 10, 15), (0x8901, 0x8902)

REFUSED: dict[str, tuple[int | None, int | None]] = {
    # Memory and files of other processes.
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272)},
    **{"process_madvise": (440, 440), "process_mrelease": (448, 448), "pidfd_open": (434, 434)},
    **{"pidfd_getfd": (438, 438), "migrate_pages": (256, 238), "move_pages": (279, 239)},
    # Signals and priorities.
    **{"kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240)},
    **{"pidfd_send_signal": (424, 424), "ioprio_set": (251, 30)},
    # What all processes of a user share by its number or name.
    **{"shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197), "mq_open": (240, 180)},
    **{"mq_unlink": (241, 181), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187)},
    **{"semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192)},
    **{"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219)},
    # The kernel's own programs and views, and what gets round all this.
    **{"io_uring_setup": (425, 425), "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241)},
    **{"mount": (165, 40), "umount2": (166, 39), "unshare": (272, 97), "setns": (308, 268)},
    **{"open_by_handle_at": (304, 265), "fork": (57, None), "vfork": (58, None)},
}
CLONE3 = (435, 435)  # its flags are in memory, where they cannot be seen; who is told it is missing uses clone


@dataclass(frozen=True)
class Rule:
    """What an argument must be, of which the kernel, too, looks at the lower 32 bits only.

    Attributes:
        argument: its place, from 0.
        allowed: the only values it may have, or None for any.
        refused: values it may not have.
        bit: one that must be set, or 0.
    """

    argument: int
    allowed: tuple[int, ...] | None = None
    refused: tuple[int, ...] = ()
    bit: int = 0


def rules_for(own: int, *, online: bool) -> dict[tuple[int, int], tuple[Rule, ...]]:
    """Return the rules of calls that are allowed with some arguments, by their numbers, for the process `own`."""
    itself = Rule(0, allowed=(0, own))
    return {
        (41, 198): (Rule(0, allowed=_INTERNET_FAMILIES if online else ()),),  # socket
        (56, 220): (Rule(0, bit=_THREAD),),  # clone
        (72, 25): (Rule(1, refused=_SIGNAL_FROM_FILE),),  # fcntl
        (16, 29): (Rule(1, refused=_SIGNAL_FROM_SOCKET),),  # ioctl
        (234, 131): (Rule(0, allowed=(own,)),),  # tgkill, with which a process aborts
        (302, 261): (itself,),  # prlimit64
        (141, 140): (Rule(0, allowed=(0,)), Rule(1, allowed=(0, own))),  # setpriority, with PRIO_PROCESS
        (203, 122): (itself,),  # sched_setaffinity
        (142, 118): (itself,),  # sched_setparam
        (144, 119): (itself,),  # sched_setscheduler
        (314, 274): (itself,),  # sched_setattr
    }
