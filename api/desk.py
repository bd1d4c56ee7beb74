"""What a request handler works with: this process's connections, made once in the app's lifespan."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from os import environ
from typing import Any

from redis.asyncio import Redis

from agents import costs
from agents.models.providers import Providers, load
from api.keys import KeyRing
from api.limits import Limits
from api.mailroom import Mailroom
from api.router.recorder import Recorder
from shared import bus, db, queue, tasks
from shared.answers import Answers
from shared.meters import Meters
from shared.settings import Settings
from shared.vault import Vault


@dataclass(slots=True, kw_only=True)
class Desk:
    """The state of an API process."""

    settings: Settings
    pool: db.Pool
    redis: Redis
    mailroom: Mailroom
    hints: queue.Hints
    providers: Providers
    keys: KeyRing
    vault: Vault
    limits: Limits
    answers: Answers
    recorder: Recorder
    _errands: set[asyncio.Task[Any]] = field(default_factory=set)

    def errand(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something after the request that caused it is gone; it must report its own failures."""
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def finish_errands(self) -> None:
        """Wait for what is under way."""
        if self._errands:
            await asyncio.wait(self._errands, timeout=5)


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """Connect for the length of the block."""
    redis = bus.connect(settings.redis_url)
    hints = queue.Hints(queue.make_app(settings))
    mailroom = Mailroom(redis)
    listening = asyncio.create_task(mailroom.run(), name="mailroom")
    try:
        await asyncio.to_thread(costs.load)
        async with db.make_pool(settings) as pool:
            recorder = Recorder(pool)
            recording = asyncio.create_task(recorder.run(), name="recorder")
            desk = Desk(
                settings=settings,
                pool=pool,
                redis=redis,
                mailroom=mailroom,
                hints=hints,
                providers=load(settings, environ),
                keys=KeyRing(pool),
                vault=Vault.from_settings(settings),
                limits=Limits(settings, Meters(pool, redis)),
                answers=Answers(redis),
                recorder=recorder,
            )
            yield desk
            await desk.finish_errands()
            await desk.limits.drain()
            await tasks.end([recording])
            await recorder.close()
            await desk.providers.aclose()
    finally:
        await tasks.end([listening])
        await asyncio.to_thread(hints.close)
        await redis.aclose()
