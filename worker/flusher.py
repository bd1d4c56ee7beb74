"""Persist, then publish: one writer per process for the events of all its running responses."""

import asyncio
import time

import structlog
from redis.asyncio import Redis

from shared import bus, db, metrics, pages
from shared.frames import EventLog, Page

log = structlog.get_logger(__name__)


class Flusher:
    """Collects logs that have unwritten frames, and writes them a page each, in one short transaction at a time."""

    def __init__(self, pool: db.Pool, redis: Redis, *, every: float) -> None:
        """`every` is the shortest time between two writes, in seconds; under load it grows to five times that."""
        self._pool = pool
        self._redis = redis
        self._every = every
        self._waiting: dict[EventLog, None] = {}
        self._bell = asyncio.Event()
        self._writing: frozenset[EventLog] = frozenset()
        self._written = asyncio.Condition()

    def wake(self, event_log: EventLog) -> None:
        """Note that a log has frames to write. Cheap: it is called from the hot path, once per write, not per event."""
        self._waiting[event_log] = None
        self._bell.set()

    async def run(self) -> None:
        """Write until cancelled. The first event of a quiet process goes out at once."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            begun = time.monotonic()
            await self._flush()
            took = time.monotonic() - begun
            metrics.flush(took)
            await asyncio.sleep(max(min(max(self._every, 2 * took), 5 * self._every) - took, 0))

    async def settle(self, event_log: EventLog) -> None:
        """Withdraw a log, and wait until a write that has its frames under way is over."""
        self._waiting.pop(event_log, None)
        async with self._written:
            await self._written.wait_for(lambda: event_log not in self._writing)

    async def _flush(self) -> None:
        """Write and publish what waits now."""
        waiting, self._waiting = self._waiting, {}
        batch = [(item.response_id, item.epoch, page) for item in waiting if (page := item.take())]
        if not batch:
            return
        self._writing = frozenset(waiting)
        try:
            held = await db.insist(lambda: self._write(batch), what="events")
            messages = [(bus.channel(key), bus.pack(page)) for key, epoch, page in batch if (key, epoch) in held]
            if messages:
                await bus.publish(self._redis, messages)
        finally:
            async with self._written:
                self._writing = frozenset()
                self._written.notify_all()

    async def _write(self, batch: list[tuple[str, int, Page]]) -> set[tuple[str, int]]:
        """Write a batch; return the leases that still hold."""
        async with db.connection(self._pool) as session:
            return await pages.write(session, batch)
