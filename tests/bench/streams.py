"""Scenarios of long streams: one response with many followers, and many responses that stream at once."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.results import Row, Target, Times
from tests.bench.system import System
from tests.bench.wire import Answer, BadAnswer, Connection, get, post

_GRACE: Final = 40.0
_SAMPLE: Final = 10
"""Every tenth follower reads the age of the tokens; all of them count events."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """One response and those who follow it. Together they are offered 100,000 events a second, unless it is one alone."""

    followers: int
    rate: int
    """Tokens a second; 0: all at once."""

    def model(self, seconds: float) -> str:
        """Name the upstream's model: it begins when everybody should be there."""
        tokens = round(self.rate * seconds) if self.rate else 20_000
        return f"tokens={tokens},rate={self.rate},delay={1 + self.followers / 100:g}"


CROWDS: Final = (Crowd(1, 0), Crowd(50, 2000), Crowd(500, 200))


async def fanout(system: System, seconds: float) -> list[Row]:
    """Stream one response to 1, 50 and 500 followers."""
    rows = []
    for crowd in CROWDS:
        straight = await _straight_crowd(system, crowd, seconds / 2)
        created = await _create(system, crowd.model(seconds))
        request = get(f"/v1/responses/{created}?stream=true", key=system.key)
        async with asyncio.timeout(seconds + crowd.followers / 100 + _GRACE):
            connections = [await Connection.open(system.api) for _ in range(crowd.followers)]
            ends = [connection.ask(request, sample=n % _SAMPLE == 0) for n, connection in enumerate(connections)]
            late = await _everybody_there(connections)
            before = system.cpu()
            answers = await asyncio.gather(*ends)
            after = system.cpu()
        row = _crowd_row(crowd, answers, late=late)
        row.cpu = {process: after[process] - before[process] for process in after}
        row.straight = Times.of(age for answer in straight for _, age in answer.ages)
        row.straight_rate = _events(straight) / _span(straight)
        rows.append(row)
        for connection in connections:
            connection.close()
    return rows


async def _straight_crowd(system: System, crowd: Crowd, seconds: float) -> list[Answer]:
    """Read as many streams as there are followers, at the same rate, each its own."""
    return await _read_all(system.upstream, [_chat(system, crowd.model(seconds))] * crowd.followers, seconds)


async def _everybody_there(connections: Sequence[Connection]) -> bool:
    """Wait until every follower has its first event; return whether the text had begun by then."""
    while not all(connection.answer.first_event for connection in connections):  # noqa: ASYNC110  # an event is not free
        await asyncio.sleep(0.02)
    return any(connection.answer.first_delta for connection in connections)


def _crowd_row(crowd: Crowd, answers: list[Answer], *, late: bool) -> Row:
    seen = {answer.events for answer in answers}
    if len(seen) != 1:
        raise BadAnswer(f"followers of one response saw different numbers of events: {sorted(seen)}")
    row = Row(
        scenario=f"fan-out to {crowd.followers}",
        what="age of an event" if crowd.rate else "",
        count=_events(answers),
        unit="events",
        wall=_span(answers),
        times=Times.of(age for answer in answers for _, age in answer.ages),
        note="offered 100,000/s" if crowd.rate else "offered all at once",
    )
    row.note += ", the text began before the last follower came" if late else ""
    if crowd.followers == CROWDS[-1].followers:
        row.target = Target(">= 50,000/s", met=(row.rate or 0) >= 50_000)
    return row


def _events(answers: list[Answer]) -> int:
    return sum(answer.events for answer in answers)


def _span(answers: list[Answer]) -> float:
    """Return the seconds from anybody's first text to everybody's end."""
    return max(answer.ended for answer in answers) - min(answer.first_delta for answer in answers)


HELD: Final = 500
RATE: Final = 20


async def held(system: System, seconds: float) -> list[Row]:
    """Run 500 background responses of 20 tokens a second in one worker; every tenth has a follower, who reads their age."""
    model = f"tokens={round(RATE * (seconds + 6))},rate={RATE}"
    straight = await _read_all(system.upstream, [_chat(system, f"tokens={RATE * 3},rate={RATE}")] * HELD, 3)
    async with asyncio.timeout(seconds + 6 + 2 * _GRACE):
        ids = await _create_many(system, model, HELD)
        followers = [await Connection.open(system.api) for _ in ids[::_SAMPLE]]
        requests = [get(f"/v1/responses/{response}?stream=true", key=system.key) for response in ids[::_SAMPLE]]
        ends = [connection.ask(request, sample=True) for connection, request in zip(followers, requests, strict=True)]
        most = await _all_open(system)
        before, began = system.cpu(), time.monotonic()
        await asyncio.sleep(seconds)
        after, ended, memory = system.cpu(), time.monotonic(), system.memory("worker")
        answers = await asyncio.gather(*ends)
    ages = [age for answer in answers for received, age in answer.ages if began <= received <= ended]
    for connection in followers:
        connection.close()
    cpu = {process: after[process] - before[process] for process in after}
    row = Row(
        scenario=f"{most} streams of {RATE}/s",
        what="age of a token",
        count=len(ages) * _SAMPLE,
        unit="tokens",
        wall=ended - began,
        times=Times.of(ages),
        straight=Times.of(age for answer in straight[::_SAMPLE] for _, age in answer.ages),
        cpu=cpu,
    )
    row.note = f"worker: {1e6 * cpu['worker'] / max(row.count, 1):.0f} us CPU per token, {memory / 2**20:.0f} MB"
    row.target = Target("p99 < 150 ms", met=row.times is not None and row.times.p99 < 150 and most == HELD)
    return [row]


async def _all_open(system: System) -> int:
    """Wait, not long, until the upstream streams everything at once; return how much it does."""
    connection = await Connection.open(system.upstream)
    deadline, most = time.monotonic() + 5, 0
    while most < HELD and time.monotonic() < deadline:
        most = (await connection.ask(get("/stats", key=system.key))).json()["open"]
        await asyncio.sleep(0.05)
    connection.close()
    return most


async def _read_all(port: int, requests: list[bytes], seconds: float) -> list[Answer]:
    """Read streams beside each other, to their ends."""
    async with asyncio.timeout(seconds + _GRACE):
        connections = [await Connection.open(port) for _ in requests]
        ends = [connection.ask(request, sample=True) for connection, request in zip(connections, requests, strict=True)]
        answers = await asyncio.gather(*ends)
    for connection in connections:
        connection.close()
    return answers


def _chat(system: System, model: str) -> bytes:
    body = {"model": model, "messages": [{"role": "user", "content": "Go on."}], "stream": True}
    return post("/v1/chat/completions", body, key=system.key)


async def _create(system: System, model: str) -> str:
    connection = await Connection.open(system.api)
    answer = await connection.ask(_background(system, model))
    connection.close()
    return str(answer.json()["id"])


def _background(system: System, model: str) -> bytes:
    return post("/v1/responses", {"model": f"bench/{model}", "input": "Go on.", "background": True}, key=system.key)


async def _create_many(system: System, model: str, count: int) -> list[str]:
    """Create responses, eight at a time."""
    request = _background(system, model)
    made: list[str] = []

    async def create() -> None:
        connection = await Connection.open(system.api)
        while len(made) < count:
            made.append("")
            place = len(made) - 1
            made[place] = str((await connection.ask(request)).json()["id"])
        connection.close()

    await asyncio.gather(*(create() for _ in range(8)))
    return made
