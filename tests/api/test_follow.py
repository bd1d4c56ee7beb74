"""Whatever happens between a worker and a reader, the reader gets every persisted frame once and in order."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from api import follow as following
from api.follow import follow
from api.mailroom import MAX_BYTES, Mailbox
from shared import bus, db, frames
from shared.frames import TAKEOVER_GAP, Page
from tests import loops

Fate = Literal["prompt", "late", "lost", "twice"]


@dataclass(frozen=True)
class Write:
    """A page is persisted, then published."""

    count: int
    fate: Fate


@dataclass(frozen=True)
class Commit:
    """A step ends: its small pages become one, and the rest of it is published."""

    count: int
    fate: Fate


@dataclass(frozen=True)
class Takeover:
    """A new attempt begins behind a gap."""


@dataclass(frozen=True)
class Trouble:
    """Mail is thrown away, the mailbox overflows, or Postgres goes away for a few looks."""

    what: Literal["lost", "overflow", "away"]


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Post:
    """What was held up arrives, in any order."""

    backwards: bool


Act = Write | Commit | Takeover | Trouble | Wait | Post
fates: st.SearchStrategy[Fate] = st.sampled_from(["prompt", "prompt", "late", "lost", "twice"])
acts: st.SearchStrategy[Act] = st.one_of(
    st.builds(Write, st.integers(1, 3), fates),
    st.builds(Write, st.integers(1, 3), fates),
    st.builds(Commit, st.integers(0, 2), fates),
    st.builds(Takeover),
    st.builds(Trouble, st.sampled_from(["lost", "overflow", "away"])),
    st.builds(Wait, st.sampled_from([0.0, 0.0, 0.5, 3.0])),
    st.builds(Post, st.booleans()),
)


@dataclass
class World:
    """A response in Postgres and its mail in Redis, and one reader's mailbox."""

    box: Mailbox = field(default_factory=lambda: Mailbox("rondo:events:resp_1"))
    pages: list[Page] = field(default_factory=list)
    done: bool = False
    away: int = 0
    looks: int = 0
    next: int = 0
    step: int = 0
    held_up: list[tuple[Page, bytes]] = field(default_factory=list)
    pgconn: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(pipeline_status=0))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["World"]:
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise db.DatabaseUnavailable
        self.looks += 1
        yield self

    async def execute(self, _: str, values: dict[str, Any], *, binary: bool) -> "World":
        await asyncio.sleep(0)
        beyond = [page for page in self.pages if page.last > values["after"]][: values["limit"]]
        phase = "done" if self.done else "running"
        self._rows: list[tuple[Any, ...]] = [(phase, page.first, page.last, page.frames) for page in beyond] or [
            (phase, None, None, None)
        ]
        return self

    async def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    def make(self, count: int) -> Page:
        first, self.next = self.next, self.next + count
        body = b"".join(frames.encode(number, "keepalive", {}) for number in range(first, self.next))
        return Page(first, self.next - 1, body)

    def publish(self, page: Page, fate: Fate, flag: bytes = bus.QUIET) -> None:
        match fate:
            case "prompt":
                self.box.put(page, flag)
            case "twice":
                self.box.put(page, flag)
                self.box.put(page, flag)
            case "late":
                self.held_up.append((page, flag))
            case "lost":
                pass

    def write(self, count: int, fate: Fate) -> None:
        page = self.make(count)
        self.pages.append(page)
        self.publish(page, fate)

    def commit(self, count: int, fate: Fate, flag: bytes = bus.QUIET) -> None:
        tail = self.make(count) if count else None
        small = [page for page in [*self.pages, *([tail] if tail else [])] if page.first >= self.step]
        if small:
            whole = Page(small[0].first, small[-1].last, b"".join(page.frames for page in small))
            self.pages = [page for page in self.pages if page.first < self.step] + [whole]
        self.step = self.next
        if tail:
            self.publish(tail, fate, flag)

    def trouble(self, what: str) -> None:
        match what:
            case "lost":
                self.box.lose()
            case "overflow":
                self.box.put(Page(self.next + 10, self.next + 10, b" " * (MAX_BYTES + 1)), bus.QUIET)
            case _:
                self.away = 2

    async def play(self, script: Iterable[Act], end: Fate | Literal["cancelled"]) -> None:
        for act in script:
            match act:
                case Write(count, fate):
                    self.write(count, fate)
                case Commit(count, fate):
                    self.commit(count, fate)
                case Takeover():
                    self.next += TAKEOVER_GAP
                    self.step = self.next
                case Trouble(what):
                    self.trouble(what)
                case Wait(seconds):
                    await asyncio.sleep(seconds)
                case Post(backwards):
                    for page, flag in self.held_up[:: -1 if backwards else 1]:
                        self.box.put(page, flag)
                    self.held_up.clear()
        self.done = True
        if end == "cancelled":
            self.box.put(bus.NOTHING, bus.END)
        else:
            self.commit(1, end, bus.END)


async def told(world: World, after: int, *, known: bool = False) -> list[bytes]:
    """Read to the end."""
    got: list[bytes] = []
    async for page in follow(cast("db.Pool", world), world.box, "resp_1", after=after, known=known):
        if page.frames:
            got += frames.split(page.frames)
            assert next(frames.decode(page.frames))["sequence_number"] == page.first
    return got


def persisted(world: World, after: int) -> list[bytes]:
    return [frame for page in world.pages for frame in frames.split(page.after(after))]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(acts, max_size=5),
    st.lists(acts, max_size=25),
    st.sampled_from(["prompt", "late", "lost", "twice", "cancelled"]),
    st.integers(-1, 12),
)
def test_a_reader_gets_every_persisted_frame_once_and_in_order(
    before: list[Act], script: list[Act], end: Fate | Literal["cancelled"], after: int
) -> None:
    async def main() -> None:
        world = World()
        for act in before:
            if isinstance(act, Write | Commit):
                world.write(act.count or 1, "lost")
        reading = asyncio.create_task(told(world, after))
        await world.play(script, end)
        async with asyncio.timeout(60):
            got = await reading
        assert got == persisted(world, after)

    loops.run(main())


@settings(max_examples=100, deadline=None)
@given(st.lists(acts, max_size=15), st.lists(st.integers(-1, 3000), min_size=2, max_size=4))
def test_readers_that_begin_anywhere_read_the_same_log(script: list[Act], starts: list[int]) -> None:
    async def main() -> None:
        world = World()
        await world.play(script, "lost")
        for after in starts:
            assert await told(world, after) == persisted(world, after)

    loops.run(main())


def test_a_prompt_stream_is_read_without_a_look_into_postgres() -> None:
    async def main() -> None:
        world = World()
        world.write(2, "lost")
        reading = asyncio.create_task(told(world, 1, known=True))
        await asyncio.sleep(0)
        await world.play([Write(1, "prompt"), Wait(0.5), Write(2, "prompt"), Wait(0.5)], "prompt")
        assert await reading == persisted(world, 1)
        assert world.looks == 0

    loops.run(main())


def test_a_silent_stream_gives_signs_of_life() -> None:
    async def main() -> None:
        world = World()
        world.write(1, "lost")
        reading = aiter(follow(cast("db.Pool", world), world.box, "resp_1", after=0))
        for _ in range(3):
            begun = asyncio.get_running_loop().time()
            assert (await anext(reading)).frames == b""
            assert asyncio.get_running_loop().time() - begun <= following.SILENCE + 0.1

    loops.run(main())


def test_a_response_that_is_gone_has_no_more_events() -> None:
    class Gone(World):
        async def fetchall(self) -> list[tuple[Any, ...]]:
            return []

    assert loops.run(told(Gone(), -1)) == []


def test_a_cancelled_stream_ends_at_once() -> None:
    async def main() -> float:
        world = World()
        reading = asyncio.create_task(told(world, -1))
        await world.play([Wait(0.1), Write(2, "prompt"), Wait(0.1)], "cancelled")
        assert await reading == persisted(world, -1)
        return asyncio.get_running_loop().time()

    assert loops.run(main()) < 1


def test_a_message_lost_in_the_middle_is_made_good_at_the_next() -> None:
    async def main() -> float:
        world = World()
        reading = asyncio.create_task(told(world, -1))
        await world.play([Wait(0.1), Write(1, "prompt"), Write(1, "lost"), Wait(0.1), Write(1, "prompt"), Wait(0.1)], "prompt")
        assert await reading == persisted(world, -1)
        return asyncio.get_running_loop().time()

    assert loops.run(main()) < 1
