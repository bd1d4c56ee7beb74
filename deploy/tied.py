"""Become a command that dies with its parent: `python -IS tied.py PARENT SIGNAL PRIVILEGE command…`.

A launcher instead of `preexec_fn`, which forks Python itself and is unsafe beside threads. It imports the standard library
only, so it costs about 15 ms. `PRIVILEGE` is `keep`, or how to stop being root, which PostgreSQL refuses to be:
`namespace` (nobody inside an own user namespace, root outside of it), or `nobody` (that user, who may still read root's files).
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY = 65534


def main(parent: int, death_signal: int, privilege: str, command: list[str]) -> None:
    """Replace this process by `command`; it gets `death_signal` when the process `parent` dies, however that dies."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if privilege == "namespace":
        _enter_user_namespace()
    if privilege == "nobody":
        command = _as_nobody(death_signal, command)
    _call("prctl", PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit("The parent died before its child could start.")
    os.execvp(command[0], command)  # noqa: S606  # becoming the command is the purpose


def _enter_user_namespace() -> None:
    """Be nobody, a user that every machine knows, in an own user namespace. Outside of it, nothing has changed."""
    user, group = os.geteuid(), os.getegid()  # unmapped, hence unknown, as soon as the namespace is there
    _call("unshare", CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1", encoding="ascii")


def _as_nobody(death_signal: int, command: list[str]) -> list[str]:
    """Wrap the command so that it runs as nobody, keeping only the right to open files: the binaries may lie under /root."""
    right = "-all,+dac_override"
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    rights = [f"--inh-caps={right}", f"--ambient-caps={right}"]
    death = signal.Signals(death_signal).name.removeprefix("SIG")
    return ["setpriv", *user, *rights, f"--pdeathsig={death}", *command]


def _call(function: str, *arguments: int) -> None:
    """Call the C library's function; raise OSError if it fails. Only Linux knows these, elsewhere nothing happens."""
    if sys.platform == "linux" and getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{function} failed")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
