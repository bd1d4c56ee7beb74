"""Python in Monty, an interpreter that was made without files, network, processes and environment.

Each run has a process of its own, started for it and ended with it. Time is kept outside of that process too.
"""

import asyncio
import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pydantic_monty import AsyncMonty, CollectString, ResourceLimits

from agents.sandbox import confine, program
from agents.sandbox.base import MAX_OUTPUT, Ran, cut
from agents.sandbox.faults import Failed, NoProgram, outside
from shared.items import Json

MAX_PRINTED: Final = 1 << 20
"""Bytes after which a program that prints has failed."""
PATIENCE: Final = 15.0
"""Seconds that a run waits for another to end."""
GRACE: Final = 1.0
"""Seconds beyond its time after which a program that did not stop by itself is killed."""
SETTLE: Final = 0.1
"""Seconds that the pool's threads need to let go of Python; one that finds it finalised aborts the process."""


class Monty:
    """A bounded number of processes, each made for one run."""

    def __init__(self, *, processes: int, memory: int) -> None:
        """At most `processes` run at once, each program with `memory` bytes for its values. Start nothing yet."""
        self._processes = processes
        self._memory = memory
        self._starting = asyncio.Lock()
        self._launcher: int | None = None
        self._pool: AsyncMonty | None = None

    async def run(self, code: str, *, inputs: Json, seconds: float) -> Ran:
        """Run a program for the value of its last expression, or without, if it seemed to end with one but does not."""
        captured = program.capturing(code)
        if captured is not None:
            try:
                return await self._run(captured, code, inputs, seconds)
            except NoProgram:
                pass  # what is wrong with it is found out again, with nothing changed
        try:
            return await self._run(program.valueless(code), code, inputs, seconds)
        except NoProgram as error:
            return Ran(error=str(error))

    async def aclose(self) -> None:
        """End the pool and its processes."""
        if self._pool is not None:
            await self._pool.__aexit__(None, None, None)
            await asyncio.sleep(SETTLE)
            self._pool = None
        if self._launcher is not None:
            os.close(self._launcher)
            self._launcher = None

    async def _run(self, text: str, code: str, inputs: Json, seconds: float) -> Ran:
        """Feed the program's changed text to a process of its own; raises `NoProgram` if it is none."""
        printed, shown = CollectString(MAX_PRINTED), CollectString(4 * MAX_OUTPUT + 4)
        limits = ResourceLimits(max_feed_duration_secs=seconds, max_memory=self._memory)
        pool = await self._started()
        try:
            with outside(code):
                async with pool.checkout(limits=limits, os_policy={"sleep": "zero"}) as session, _within(seconds):
                    await session.feed_run(program.PROLOGUE)
                    await session.feed_run(text, inputs=inputs, print_callback=printed)
                    await session.feed_run(program.EPILOGUE, print_callback=shown)
        except NoProgram:
            raise
        except Failed as error:
            return Ran(output=cut(printed.output), error=_reason(error, printed))
        return Ran(output=cut(printed.output), value=program.value(shown.output))

    async def _started(self) -> AsyncMonty:
        """Return the pool, which starts a process when a run asks for one."""
        async with self._starting:
            if self._pool is None:
                self._launcher = self._launcher or _launcher(memory=self._memory)
                self._pool = AsyncMonty(
                    binary_path=f"/proc/{os.getpid()}/fd/{self._launcher}",
                    min_processes=0,
                    max_processes=self._processes,
                    max_checkouts_per_worker=1,
                    checkout_timeout=PATIENCE,
                    feed_duration_limit_grace=None,  # `_within` sees to all three texts together
                    turn_duration_limit_grace=None,
                )
                await self._pool.__aenter__()
            return self._pool


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """Kill what runs longer than its own limit: cancelling what waits for a process ends the process."""
    try:
        async with asyncio.timeout(seconds + GRACE):
            yield
    except TimeoutError as error:
        raise Failed(f"TimeoutError: the program took longer than {seconds:g} seconds and was stopped.") from error


def _reason(error: Failed, printed: CollectString) -> str:
    """Say why a program failed; that it printed too much looks like a lack of memory."""
    if len(printed.output.encode()) > MAX_PRINTED - MAX_PRINTED // 16:
        return f"The program printed more than {MAX_PRINTED} bytes and was stopped."
    return str(error)


def _launcher(*, memory: int) -> int:
    """Open a file with the command that starts the interpreter inside its second wall: the pool can give it no arguments.

    The file has no place but memory, so that a worker that is killed leaves nothing behind.
    """
    command = [sys.executable, "-IS", str(Path(confine.__file__).resolve()), str(os.getpid()), str(memory), _interpreter()]
    launcher = os.memfd_create("monty")
    os.write(launcher, f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'.encode())
    return launcher


def _interpreter() -> str:
    """Find Monty's binary, which its wheel puts beside Python's."""
    own = Path(sysconfig.get_path("scripts")) / "monty"
    return str(own) if own.is_file() else shutil.which("monty") or str(own)
