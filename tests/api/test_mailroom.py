"""The mailroom on a real Valkey: live mail while it can, a word when mail may be missing, and nothing left behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from api import mailroom as rooms
from api.mailroom import MAX_BYTES, Mailbox, Mailroom
from shared import bus, ids, tasks
from shared.frames import Page

PAGE = Page(0, 0, b"data: {}\n\n")


@asynccontextmanager
async def opened(redis_url: str) -> AsyncIterator[tuple[Mailroom, Redis]]:
    """A mailroom that listens, and another client."""
    redis, other = bus.connect(redis_url), bus.connect(redis_url)
    room = Mailroom(redis)
    listening = asyncio.create_task(room.run())
    try:
        async with asyncio.timeout(5):
            while room._pubsub is None:  # noqa: ASYNC110  # nothing tells that it listens
                await asyncio.sleep(0.001)
        yield room, other
    finally:
        await tasks.end([listening])
        await redis.aclose()
        await other.aclose()


def in_room(redis_url: str, play: Callable[[Mailroom, Redis], Awaitable[None]]) -> None:
    async def main() -> None:
        async with opened(redis_url) as (room, other):
            await play(room, other)

    asyncio.run(main())


async def send(redis: Redis, response_id: str, *pages: Page) -> None:
    assert await bus.publish(redis, [(bus.channel(response_id), bus.pack(page)) for page in pages])


async def subscribed(redis: Redis, *response_ids: str) -> list[int]:
    found = await redis.pubsub_numsub(*map(bus.channel, response_ids))
    return [count for _, count in found]


async def newly(room: Mailroom, response_id: str) -> Mailbox:
    """Subscribe, and forget what was said about connections before."""
    box = await room.subscribe(response_id)
    box._lost = False
    return box


def test_a_subscriber_gets_what_is_published_from_then_on(redis_url: str) -> None:
    async def play(room: Mailroom, other: Redis) -> None:
        response_id = ids.new("resp")
        box = await newly(room, response_id)
        later = Page(1, 2, b"x\n\ny\n\n")
        await send(other, response_id, PAGE, later)
        assert await box.get(silence=2) == (PAGE, bus.QUIET)
        assert await box.get(silence=2) == (later, bus.QUIET)

    in_room(redis_url, play)


def test_readers_of_one_response_share_a_channel_until_the_last_leaves(redis_url: str) -> None:
    async def play(room: Mailroom, other: Redis) -> None:
        response_id = ids.new("resp")
        one, two = [await newly(room, response_id) for _ in range(2)]
        assert await subscribed(other, response_id) == [1]
        room.leave(one)
        await send(other, response_id, PAGE)
        assert await two.get(silence=2) == (PAGE, bus.QUIET)
        assert not one._mail
        room.leave(two)
        await asyncio.sleep(rooms.TIDY_AFTER + 0.3)
        assert await subscribed(other, response_id) == [0]

    in_room(redis_url, play)


def test_a_thousand_readers_come_and_go_and_leave_no_channel_behind(redis_url: str) -> None:
    async def play(room: Mailroom, other: Redis) -> None:
        names = [ids.new("resp") for _ in range(1000)]

        async def visit(response_id: str) -> None:
            room.leave(await room.subscribe(response_id))

        for start in range(0, 1000, 50):
            await asyncio.gather(*map(visit, names[start : start + 50]))
        await asyncio.sleep(rooms.TIDY_AFTER + 0.5)
        assert sum(await subscribed(other, *names)) == 0
        assert room._boxes == {}
        assert room._confirmed == {}
        assert room._idle == set()

    in_room(redis_url, play)


def test_a_reader_who_comes_back_before_the_tidying_is_not_unsubscribed_by_it(redis_url: str) -> None:
    async def play(room: Mailroom, other: Redis) -> None:
        response_id = ids.new("resp")
        for _ in range(3):
            room.leave(await room.subscribe(response_id))
        box = await newly(room, response_id)
        await asyncio.sleep(rooms.TIDY_AFTER + 0.3)
        await send(other, response_id, PAGE)
        assert await box.get(silence=1) == (PAGE, bus.QUIET)

    in_room(redis_url, play)


def test_readers_are_told_that_mail_may_be_missing_when_the_connection_was_lost(redis_url: str) -> None:
    async def play(room: Mailroom, other: Redis) -> None:
        response_id = ids.new("resp")
        box = await newly(room, response_id)
        await other.client_kill_filter(_id=await listener(room, other))
        begun = asyncio.get_running_loop().time()
        assert await box.get(silence=5) is None
        assert asyncio.get_running_loop().time() - begun < 2
        async with asyncio.timeout(5):
            while await subscribed(other, response_id) != [1]:  # noqa: ASYNC110  # Redis tells nobody
                await asyncio.sleep(0.01)
        await send(other, response_id, PAGE)
        heard = await box.get(silence=2) or await box.get(silence=2)
        assert heard == (PAGE, bus.QUIET)

    in_room(redis_url, play)


async def listener(room: Mailroom, other: Redis) -> str:
    """Find the mailroom's own connection: other tests use the same server."""
    assert room._pubsub is not None
    connection: Any = room._pubsub.connection
    port = connection._writer.get_extra_info("sockname")[1]
    [found] = [client["id"] for client in await other.client_list() if client["addr"].endswith(f":{port}")]
    return str(found)


def test_readers_who_come_while_redis_is_away_are_subscribed_when_it_is_back() -> None:
    async def main() -> None:
        room = Mailroom(bus.connect("redis://127.0.0.1:1/0"))
        listening = asyncio.create_task(room.run())
        box = await asyncio.wait_for(room.subscribe("resp_1"), 2)
        assert await box.get(silence=0.01) is None
        assert set(room._boxes) == {bus.channel("resp_1")}
        room.leave(box)
        assert room._boxes == {}
        await tasks.end([listening])

    asyncio.run(main())


class Slow:
    """A Redis whose subscriptions take as long as the test wants, as after a reconnect with many channels."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked: list[str] = []

    def pubsub(self) -> "Slow":
        return self

    async def __aenter__(self) -> "Slow":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def subscribe(self, *names: str) -> None:
        self.asked += names
        await self.gate.wait()

    async def unsubscribe(self, *names: str) -> None:
        self.asked = [name for name in self.asked if name not in names]

    async def listen(self) -> AsyncIterator[dict[str, Any]]:
        await asyncio.Event().wait()
        yield {}


def test_a_reader_who_comes_while_the_connection_is_being_made_is_not_forgotten() -> None:
    async def main() -> None:
        redis = Slow()
        room = Mailroom(cast("Redis", redis))
        listening = asyncio.create_task(room.run())
        await asyncio.sleep(0)
        await room.subscribe("resp_1")
        redis.gate.set()
        await asyncio.sleep(0.01)
        assert bus.channel("resp_1") in redis.asked
        await tasks.end([listening])

    asyncio.run(main())


def test_a_reader_who_goes_while_subscribing_leaves_no_mailbox() -> None:
    async def main() -> None:
        redis = Slow()
        room = Mailroom(cast("Redis", redis))
        room._pubsub = cast("Any", redis)
        coming = asyncio.create_task(room.subscribe("resp_1"))
        await asyncio.sleep(0.01)
        coming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await coming
        assert room._boxes == {}

    asyncio.run(main())


def test_a_mailbox_that_is_too_full_is_emptied_and_says_so() -> None:
    async def main() -> None:
        box = Mailbox("x")
        big = Page(0, 0, b" " * (MAX_BYTES // 2))
        for _ in range(3):
            box.put(big, bus.QUIET)
        box.put(PAGE, bus.QUIET)
        assert await box.get(silence=0) is None
        assert await box.get(silence=0) == (PAGE, bus.QUIET)
        for _ in range(2):
            box.put(big, bus.QUIET)
        assert await box.get(silence=0) == (big, bus.QUIET)

    asyncio.run(main())
