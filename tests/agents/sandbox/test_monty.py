"""The processes behind the sandbox: how many there are, what they know, how long they live, and that nobody waits for them."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from agents.sandbox import monty
from agents.sandbox.base import Ran, SandboxUnavailable
from agents.sandbox.monty import Monty
from tests.agents.sandbox import processes

ENDLESS = "1 if 7 ** (7 ** 9) else 0"
"""It never looks at its own clock."""


def using(do: Callable[[Monty], Awaitable[Any]], *, at_once: int = 1, on: Callable[[Any], Any] = asyncio.run) -> Any:
    """Do something with a sandbox."""

    async def main() -> Any:
        sandbox = Monty(processes=at_once, memory=64 << 20)
        try:
            return await do(sandbox)
        finally:
            await sandbox.aclose()

    return on(main())


def run(code: str, seconds: float = 5.0, **inputs: Any) -> Ran:
    async def once(sandbox: Monty) -> Ran:
        return await sandbox.run(code, inputs=inputs, seconds=seconds)

    ran: Ran = using(once)
    return ran


def test_a_process_is_started_for_a_run_and_ends_with_it() -> None:
    async def watch(sandbox: Monty) -> None:
        assert processes.of(os.getpid()) == []
        running = asyncio.create_task(sandbox.run(ENDLESS, inputs={}, seconds=0.5))
        pid = await processes.started(os.getpid())
        await running
        await processes.ended(pid)

    using(watch)


def test_no_more_run_at_once_than_may() -> None:
    async def many(sandbox: Monty) -> tuple[int, list[Ran]]:
        runs = [asyncio.create_task(sandbox.run(ENDLESS, inputs={}, seconds=0.2)) for _ in range(5)]
        most = 0
        while not all(each.done() for each in runs):
            most = max(most, len(processes.of(os.getpid())))
            await asyncio.sleep(0.01)
        return most, [each.result() for each in runs]

    most, ran = using(many, at_once=2)
    assert most == 2
    assert all("took longer" in str(each.error) for each in ran)


def test_who_waits_too_long_for_a_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monty, "PATIENCE", 0.1)

    async def two(sandbox: Monty) -> None:
        first = asyncio.create_task(sandbox.run(ENDLESS, inputs={}, seconds=1))
        await processes.started(os.getpid())
        with pytest.raises(SandboxUnavailable, match="not available"):
            await sandbox.run("1", inputs={}, seconds=1)
        await first

    using(two)


def test_a_process_knows_nothing_and_yields_to_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RONDO_CANARY", "canary")

    async def look(sandbox: Monty) -> tuple[bytes, str, str]:
        running = asyncio.create_task(sandbox.run(ENDLESS, inputs={}, seconds=0.5))
        of_it = Path(f"/proc/{await processes.started(os.getpid())}")
        seen = ((of_it / name).read_bytes() for name in ("environ", "stat", "status"))
        environment, stat, status = seen
        await running
        return environment, stat.decode().rpartition(")")[2].split()[16], status.decode()

    environment, niceness, status = using(look)
    assert environment == b""
    assert niceness == "10"
    assert "NoNewPrivs:\t1" in status


def test_a_program_that_does_not_look_at_its_clock_is_killed() -> None:
    began = time.monotonic()
    assert run(ENDLESS, 0.2).error == "TimeoutError: the program took longer than 0.2 seconds and was stopped."
    assert time.monotonic() - began < 5


def test_a_cancelled_run_is_killed_at_once() -> None:
    async def cancel(sandbox: Monty) -> None:
        running = asyncio.create_task(sandbox.run(ENDLESS, inputs={}, seconds=60))
        pid = await processes.started(os.getpid())
        await asyncio.sleep(0.1)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        async with asyncio.timeout(1):
            await processes.ended(pid)
        assert (await sandbox.run("1", inputs={}, seconds=5)).value == 1

    using(cancel)


def test_a_process_that_is_killed_is_no_fault_of_the_program() -> None:
    async def kill(sandbox: Monty) -> None:
        running = asyncio.create_task(sandbox.run(ENDLESS, inputs={}, seconds=10))
        pid = await processes.started(os.getpid())
        await asyncio.sleep(0.1)
        os.kill(pid, 9)
        with pytest.raises(SandboxUnavailable, match="broke down"):
            await running
        assert (await sandbox.run("1", inputs={}, seconds=5)).value == 1

    using(kill)


def test_the_loop_goes_on_while_a_program_runs() -> None:
    async def tick(sandbox: Monty) -> float:
        running = asyncio.create_task(sandbox.run("while True: print('a' * 50)", inputs={}, seconds=0.5))
        longest, last = 0.0, time.monotonic()
        while not running.done():
            await asyncio.sleep(0.005)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        return longest

    assert using(tick, on=uvloop.run) < 0.25


_PARENT = """
import asyncio
from agents.sandbox.monty import Monty
async def main():
    sandbox = Monty(processes=1, memory=64 << 20)
    print((await sandbox.run({code!r}, inputs={{}}, seconds={seconds})).error, flush=True)
    await sandbox.aclose()
asyncio.run(main())
"""


def parent(code: str, seconds: float) -> subprocess.Popen[str]:
    program = _PARENT.format(code=code, seconds=seconds)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def test_no_process_outlives_a_worker_that_is_killed() -> None:
    async def kill() -> None:
        with parent(ENDLESS, 100) as worker:
            pid = await processes.started(worker.pid)
            await asyncio.sleep(0.2)
            worker.kill()
        async with asyncio.timeout(2):
            await processes.ended(pid)

    asyncio.run(kill())


@pytest.mark.parametrize("code", ["while True: pass", ENDLESS])
def test_a_worker_ends_well_right_after_a_program_was_stopped(code: str) -> None:
    with parent(code, 0.1) as worker:
        assert "Timeout" in worker.communicate()[0]
    assert worker.returncode == 0


def test_a_closed_sandbox_leaves_no_file_open() -> None:
    assert run("1").value == 1
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert run("1").value == 1
    assert len(list(Path("/proc/self/fd").iterdir())) == before
