"""What the machine says about the processes that a sandbox starts."""

import asyncio
from pathlib import Path


def of(parent: int) -> list[int]:
    """Return the interpreters that are children of a process, and alive."""
    pids = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    return [pid for pid in pids if _is_interpreter(pid, parent)]


def _is_interpreter(pid: int, parent: int) -> bool:
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").partition("(")[2].rpartition(")")
    except OSError:
        return False  # it has ended meanwhile
    state, its_parent = rest.split()[:2]
    return name == "monty" and state != "Z" and int(its_parent) == parent


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def started(parent: int) -> int:
    """Wait for an interpreter to be there."""
    async with asyncio.timeout(10):
        while not (found := of(parent)):  # noqa: ASYNC110  # the kernel sends no event
            await asyncio.sleep(0.01)
    return found[0]


async def ended(pid: int) -> None:
    """Wait for a process to be gone."""
    async with asyncio.timeout(10):
        while alive(pid):  # noqa: ASYNC110  # the kernel sends no event
            await asyncio.sleep(0.01)
