"""The event loop of a worker process: its thread, the lifespan it lives in, and the jobs that run on it."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import Future, wait
from contextlib import AbstractAsyncContextManager, suppress
from threading import Thread
from typing import Any, Protocol

import uvloop

CANCEL_GRACE = 5.0
"""Seconds that cancelled jobs, and then the end of the lifespan, may take."""

logger = logging.getLogger(__name__)


class Runtime(Protocol):
    """What a lifespan yields: whatever the tasks need, told when the process begins to stop."""

    def drain(self) -> None:
        """Take up nothing new, and bring what runs to a point where it can be handed over. Called on the loop."""


class Job:
    """A coroutine on its way through the loop."""

    __slots__ = ("__weakref__", "_loop", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.task: asyncio.Task[None] | None = None

    def terminate(self, _signal: object = None) -> None:
        """Cancel, from any thread. Celery calls it on revoke."""
        with suppress(RuntimeError):  # the loop has been closed, and the job with it
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


class LoopThread:
    """One event loop in one thread, from the entry into its lifespan to the exit."""

    def __init__(self, lifespan: AbstractAsyncContextManager[Runtime], *, grace: float, on_failure: Callable[[], None]) -> None:
        """Prepare. Stopping waits `grace` seconds for jobs; `on_failure` is called in the thread if the loop ends unasked."""
        self._lifespan = lifespan
        self._grace = grace
        self._on_failure = on_failure
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._loop = self._runner.get_loop()
        self._thread = Thread(target=self._run, name="loop", daemon=True)
        self._entered: Future[Runtime] = Future()
        self._serving: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._patience: asyncio.Timeout | None = None
        self._jobs: dict[asyncio.Task[None], Job] = {}  # Celery refers to a job only weakly

    def start(self, *, between: Callable[[], None]) -> Runtime:
        """Enter the lifespan and return what it yields, calling `between` meanwhile; raise what it, or that, raises."""
        self._thread.start()
        while not wait([self._entered], timeout=0.1).done:
            between()
        return self._entered.result()

    def spawn(self, work: Coroutine[Any, Any, None]) -> Job:
        """Run a coroutine on the loop. It must report its own failures."""
        job = Job(self._loop)
        self._post(self._begin, job, work)
        return job

    def drain(self) -> None:
        """Tell the runtime that the process is about to stop."""
        self._post(self._drain)

    def hurry(self) -> None:
        """Wait no longer for jobs: cancel them now, or as soon as the loop stops."""
        self._post(self._hurry)

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in the loop's thread, soon."""
        self._post(function)

    def stop(self) -> bool:
        """Wait for the jobs, cancel the rest, leave the lifespan; return whether all that ended in time."""
        self._post(self._begin_stop)
        if self._thread.ident is not None:
            self._thread.join(self._grace + 2 * CANCEL_GRACE)
        return not self._thread.is_alive()

    @property
    def running(self) -> int:
        """How many jobs have begun and not ended."""
        return len(self._jobs)

    def _post(self, function: Callable[..., object], *args: object) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nothing on it can be reached any more
            self._loop.call_soon_threadsafe(function, *args)

    def _run(self) -> None:
        try:
            with self._runner:
                self._runner.run(self._serve())
        except BaseException as failure:  # the thread's outermost frame; the main thread must learn of it
            if self._entered.done():
                logger.critical("The event loop has ended; the process follows.", exc_info=failure)
                self._on_failure()
            else:
                self._entered.set_exception(failure)

    async def _serve(self) -> None:
        self._serving = asyncio.current_task()
        async with self._lifespan as runtime:
            self._entered.set_result(runtime)
            await self._stop.wait()
            await self._finish_jobs()

    async def _finish_jobs(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace) as self._patience:
                await _ended(self._jobs)
        self._patience = None
        for job in self._jobs:
            job.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(CANCEL_GRACE):
                await _ended(self._jobs)

    def _begin(self, job: Job, work: Coroutine[Any, Any, None]) -> None:
        job.task = self._loop.create_task(work)
        self._jobs[job.task] = job
        job.task.add_done_callback(self._jobs.pop)

    def _drain(self) -> None:
        if self._entered.done():
            self._entered.result().drain()

    def _hurry(self) -> None:
        self._grace = 0
        if self._patience is not None:
            self._patience.reschedule(0)

    def _begin_stop(self) -> None:
        if not self._entered.done() and self._serving is not None:
            self._serving.cancel()
        self._stop.set()


async def _ended(jobs: Collection[asyncio.Task[None]]) -> None:
    if jobs:
        await asyncio.wait(jobs)
