"""A worker process in miniature: real stores, real leases, a model that knows its lines, and a death at any moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from redis.asyncio import Redis

from agents.models.base import Finished, Model, ModelEvent, ModelRequest, TextDelta, Timeouts, Usage
from agents.models.providers import Providers
from agents.models.scripted import call
from agents.tools.base import Call, Effect, Function, Queue
from agents.tools.box import Toolbox
from shared import bus, db, tasks
from shared.answers import Answers
from shared.frames import Page
from shared.items import Json
from shared.meters import Meters
from shared.queue import Hints
from shared.settings import Settings
from shared.vault import Vault
from worker import advance, tool_calls
from worker.flusher import Flusher
from worker.runtime import Runtime


class Death(BaseException):
    """The process is gone: nothing catches this, and nothing works after it."""


class Fate:
    """Counts the moments at which a process can die, and ends it at one of them."""

    def __init__(self, at: int | None = None) -> None:
        self.moments = 0
        self.dead = False
        self._at = at

    def moment(self) -> None:
        """Live through one more moment, or die."""
        if self.dead or self.moments == self._at:
            self.dead = True
            raise Death
        self.moments += 1


class MortalPool:
    """Connections that can be lost with their process, before their work or after it was committed."""

    def __init__(self, pool: db.Pool, fate: Fate) -> None:
        self._pool = pool
        self._fate = fate

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        self._fate.moment()
        async with self._pool.connection() as session:
            yield session
        self._fate.moment()


@dataclass
class MortalRedis:
    """A Redis that remembers what was published, unless the process died before it could say so."""

    redis: Redis
    fate: Fate
    published: list[tuple[str, Page, bytes]] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)

    async def eval(self, script: str, keys: int, *words: Any) -> None:
        self.fate.moment()
        for name, message in zip(words[::2], words[1::2], strict=True):
            if name == bus.CONTROL:
                self.orders.append(message.decode())
            else:
                self.published.append((name, *bus.unpack(message)))
        await self.redis.eval(script, keys, *words)


class Recorded:
    """Hints that wait for the test to take them."""

    healthy = True

    def __init__(self) -> None:
        self.responses: list[str] = []
        self.calls: list[str] = []
        self.queues: dict[str, str] = {}

    def advance(self, response_id: str) -> None:
        self.responses.append(response_id)

    def run_tool(self, call_id: str, queue: str = "tools") -> None:
        self.calls.append(call_id)
        self.queues[call_id] = queue


@dataclass
class Actor:
    """A model that plays by what it is asked, not by how often: its lines are chosen by the number of outputs it sees."""

    turns: list[list[ModelEvent]]
    pause: float = 0.0
    requests: list[ModelRequest] = field(default_factory=list)

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        self.requests.append(request)
        for event in self.turns[sum(item["type"] == "function_call_output" for item in request.items)]:
            yield event
            await asyncio.sleep(self.pause)


@dataclass
class Played:
    """A tool that does what the test says, under any name."""

    act: Callable[[], Awaitable[Any]]
    effects: Effect = "pure"
    queue: Queue = "tools"

    def offer(self, spec: Json, /) -> Function:
        return Function(name=str(spec["type"]).replace(":", "_"), description="", parameters={"type": "object"})

    def effect(self, _: Json, /) -> Effect:
        return self.effects

    def timeout(self, _: Json, /) -> float:
        return 5.0

    async def run(self, _spec: Json, _arguments: Json, _call: Call, /) -> Any:
        return await self.act()


COST = Usage(input=10, output=5, cached=2, reasoning=1)


def dated(answer: list[str], *, pause: float = 0.0) -> Actor:
    """Ask for the date, then answer."""
    done = Finished(reason="stop", usage=COST)
    return Actor([[*call("orq_current_date"), done], [*map(TextDelta, answer), done]], pause)


@dataclass
class Cast:
    """Providers, of which each has one model."""

    models: dict[str, Model]

    def resolve(self, model: str) -> tuple[Model, str]:
        provider, _, name = model.partition("/")
        return self.models[provider], name


@dataclass
class Stage:
    """A process that runs what it is hinted at."""

    runtime: Runtime
    hints: Recorded
    redis: MortalRedis

    async def play(self, *response_ids: str) -> None:
        """Run these, and everything that they lead to."""
        self.hints.responses += response_ids
        while self.hints.responses or self.hints.calls:
            responses, self.hints.responses = self.hints.responses, []
            calls, self.hints.calls = self.hints.calls, []
            await asyncio.gather(
                *(asyncio.create_task(advance.advance(self.runtime, one)) for one in responses),
                *(asyncio.create_task(tool_calls.run_tool(self.runtime, one)) for one in calls),
            )


@asynccontextmanager
async def stage(
    pool: db.Pool, redis_url: str, model: Model, *, fate: Fate | None = None, **changes: Any
) -> AsyncIterator[Stage]:
    """Open a process for the length of the block; the model is behind every name `scripted/…`."""
    fate = fate or Fate()
    settings = Settings(flush_every=0.001, **changes)
    async with AsyncExitStack() as stack:
        redis = MortalRedis(bus.connect(redis_url), fate)
        stack.push_async_callback(redis.redis.aclose)
        mortal = cast("db.Pool", MortalPool(pool, fate))
        flusher = Flusher(mortal, cast("Redis", redis), every=settings.flush_every)
        hints = Recorded()
        runtime = Runtime(
            settings=settings,
            pool=mortal,
            redis=cast("Redis", redis),
            flusher=flusher,
            hints=cast("Hints", hints),
            providers=cast("Providers", Cast({"scripted": model})),
            box=Toolbox(settings),
            timeouts=Timeouts(),
            vault=Vault.from_settings(settings),
            answers=Answers(redis.redis),
            meters=Meters(mortal, redis.redis),
            worker_id="w1",
        )
        writing = asyncio.create_task(flusher.run())
        stack.push_async_callback(tasks.end, [writing])
        yield Stage(runtime, hints, redis)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens on the same event loop."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # whatever it is, it sets no event
            await asyncio.sleep(0.001)
