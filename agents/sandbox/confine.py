"""Become a command that may do less: `python -IS confine.py PARENT MEMORY command…`, a second wall around an interpreter.

It dies with its parent however that dies, has no environment, no network and no privileges, writes no file, and yields to
every other process. A launcher instead of `preexec_fn`, which the pool that starts it does not offer.
"""

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
NAMESPACES = 0x10000000 | 0x40000000 | 0x08000000
"""Users, networks, IPC: as nobody known, root may open no more than what is everybody's; the new network reaches nothing."""

CPU_SECONDS = 300
"""More than any run may take: what a run that nobody watches any more may burn."""
OWN_MEMORY = 512 << 20
"""Addresses that an interpreter takes for itself, in bytes, before it holds a single value."""


def main(parent: int, memory: int, command: list[str]) -> None:
    """Replace this process by `command`, which gets `memory` bytes beside its own, and is killed when `parent` dies."""
    os.nice(10)
    with suppress(OSError):  # a second wall: where the system allows no namespaces, there are the other bounds
        _call("unshare", NAMESPACES)
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)  # after whatever changes privileges, which would reset it
    if os.getppid() != parent:
        sys.exit("The parent died before its child could start.")
    for kind, bound in _BOUNDS.items():
        resource.setrlimit(kind, (bound, bound))
    resource.setrlimit(resource.RLIMIT_AS, (memory + OWN_MEMORY, memory + OWN_MEMORY))
    os.execve(command[0], command, {})  # noqa: S606  # becoming the command is the purpose


_BOUNDS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_CPU: CPU_SECONDS,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_NOFILE: 64,
}


def _call(function: str, *arguments: int) -> None:
    """Call the C library's function; raise OSError if it fails. Only Linux knows these, elsewhere nothing happens."""
    if sys.platform == "linux" and getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{function} failed")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
