"""Scenarios of single calls: waiting, streaming and background responses, one after the other and 32 at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from tests.bench.results import Row, Target, Times
from tests.bench.system import System
from tests.bench.wire import Answer, BadAnswer, Connection, get, post

Act: TypeAlias = Callable[[Connection], Awaitable[Answer]]
"""One call, from its beginning to its end."""

MODEL: Final = "tokens=20"
"""Twenty tokens, all at once: what remains is overhead."""

CONCURRENCIES: Final = (1, 32)
_GRACE: Final = 30.0
STRAIGHT_SHARE: Final = 0.25
"""The straight calls are a hundred times as many per second, so a quarter of the time is plenty."""


async def waiting(system: System, seconds: float) -> list[Row]:
    """POST and wait for the finished response."""
    rows = []
    for concurrency in CONCURRENCIES:
        straight = await load(
            [system.upstream], ask(straight_chat(system, stream=False)), concurrency, seconds * STRAIGHT_SHARE
        )
        row = await measure(system, "waiting", ask(_create(system)), concurrency, seconds)
        compare(row, straight, seconds * STRAIGHT_SHARE)
        if concurrency == 1:
            row.target = Target("adds <= 12 ms", met=(row.added or 0) <= 12)
        else:
            row.target = Target(">= 250/s", met=(row.rate or 0) >= 250)
        rows.append(row)
    return rows


async def streaming(system: System, seconds: float) -> list[Row]:
    """POST and read the stream: to its first event, its first text, its end."""
    rows = []
    for concurrency in CONCURRENCIES:
        straight = await load([system.upstream], ask(straight_chat(system, stream=True)), concurrency, seconds * STRAIGHT_SHARE)
        answers: list[Answer] = []
        row = await measure(system, "streaming", ask(_create(system, stream=True)), concurrency, seconds, keep=answers)
        compare(row, straight, seconds * STRAIGHT_SHARE)
        first = Row(scenario="", what="to first event", times=Times.of(it.first_event - it.began for it in answers))
        text = Row(scenario="", what="to first text", times=Times.of(it.first_delta - it.began for it in answers))
        first.straight = text.straight = Times.of(it.first_delta - it.began for it in straight)
        if concurrency == 1:
            first.target = Target("adds <= 10 ms", met=(first.added or 0) <= 10)
        rows += [row, first, text]
    return rows


async def background(system: System, seconds: float) -> list[Row]:
    """POST in the background, then long-poll to the end."""
    rows = []
    for concurrency in CONCURRENCIES:
        straight = await load(
            [system.upstream], ask(straight_chat(system, stream=False)), concurrency, seconds * STRAIGHT_SHARE
        )
        row = await measure(system, "background", _polling(system), concurrency, seconds)
        compare(row, straight, seconds * STRAIGHT_SHARE)
        rows.append(row)
    return rows


async def warm_up(system: System) -> None:
    """Let every process import, connect and compile what it does at its first requests."""
    for act in (ask(_create(system)), ask(_create(system, stream=True)), _polling(system)):
        await load([system.api], act, 4, 0.7)
    await load([system.upstream], ask(straight_chat(system, stream=True)), 4, 0.2)


def _create(system: System, **more: object) -> bytes:
    return post("/v1/responses", {"model": f"bench/{MODEL}", "input": "Say twenty tokens.", **more}, key=system.key)


def straight_chat(system: System, *, stream: bool) -> bytes:
    """Ask the upstream itself."""
    messages = [{"role": "user", "content": "Say twenty tokens."}]
    body = {"model": MODEL, "messages": messages, "stream": stream}
    return post("/v1/chat/completions", body, key=system.key)


def ask(request: bytes) -> Act:
    """Send the same request each time."""

    async def act(connection: Connection) -> Answer:
        answer = await connection.ask(request)
        if answer.status != 200:
            raise BadAnswer(f"{answer.status}: {answer.body[:300].decode(errors='replace')}")
        return answer

    return act


def _polling(system: System) -> Act:
    request = _create(system, background=True)

    async def act(connection: Connection) -> Answer:
        first = answer = await connection.ask(request)
        while (response := answer.json())["status"] in {"queued", "in_progress"}:
            answer = await connection.ask(get(f"/v1/responses/{response['id']}?wait=20", key=system.key))
        if response["status"] != "completed":
            raise BadAnswer(f"the response ended as {response['status']}: {response['error']}")
        answer.began = first.began
        return answer

    return act


async def measure(
    system: System,
    name: str,
    act: Act,
    concurrency: int,
    seconds: float,
    *,
    ports: Sequence[int] = (),
    keep: list[Answer] | None = None,
) -> Row:
    """Put load on Rondo, by default on its first API, and note how long calls took and what they cost."""
    before, began = system.cpu(), time.monotonic()
    answers = await load(ports or [system.api], act, concurrency, seconds)
    wall, after = time.monotonic() - began, system.cpu()
    if keep is not None:
        keep.extend(answers)
    cpu = {process: after[process] - before[process] for process in after}
    cost = 1000 * sum(cpu[process] for process in ("api", "worker", "postgres", "valkey")) / len(answers)
    return Row(
        scenario=f"{name}, {concurrency} at a time",
        what="to the end",
        count=len(answers),
        wall=wall,
        times=Times.of(answer.ended - answer.began for answer in answers),
        cpu=cpu,
        note=f"{cost:.1f} ms CPU each",
    )


def compare(row: Row, straight: list[Answer], seconds: float) -> None:
    """Put the same calls without Rondo beside a row."""
    row.straight = Times.of(answer.ended - answer.began for answer in straight)
    row.straight_rate = len(straight) / seconds


async def load(ports: Sequence[int], act: Act, concurrency: int, seconds: float) -> list[Answer]:
    """Repeat a call on `concurrency` connections for some seconds; calls under way at the end are finished and counted."""
    answers: list[Answer] = []
    until = time.monotonic() + seconds

    async def repeat(port: int) -> None:
        connection = await Connection.open(port)
        while time.monotonic() < until:
            answers.append(await act(connection))
        connection.close()

    async with asyncio.timeout(seconds + _GRACE):
        await asyncio.gather(*(repeat(ports[number % len(ports)]) for number in range(concurrency)))
    return answers
