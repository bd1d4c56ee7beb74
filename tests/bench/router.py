"""Scenarios of the router: calls that are passed on, to one API one after the other, to two of them 32 at once."""

import asyncio
import time
from typing import Final

from tests.bench.calls import CONCURRENCIES, MODEL, STRAIGHT_SHARE, ask, compare, load, measure, straight_chat
from tests.bench.results import Row, Target, Times
from tests.bench.system import System
from tests.bench.wire import Answer, Connection, post

_STREAMS: Final = 50
_RATE: Final = 100
"""Chunks a second of each stream."""
_GRACE: Final = 30.0


async def chat(system: System, seconds: float) -> list[Row]:
    """Chat completions, whole and streamed."""
    rows = []
    for stream in (False, True):
        body = {"model": f"bench/{MODEL}", "messages": [{"role": "user", "content": "Say twenty tokens."}], "stream": stream}
        request = post("/v3/router/chat/completions", body, key=system.key)
        straight = straight_chat(system, stream=stream)
        rows += await _passed_on(system, "router stream" if stream else "router chat", request, straight, seconds)
    fast = rows[1]
    fast.target = Target(">= 700/s", met=(fast.rate or 0) >= 700)
    return rows


async def embeddings(system: System, seconds: float) -> list[Row]:
    """Embeddings of 256 numbers."""
    request = post("/v3/router/embeddings", {"model": "bench/embedding", "input": "Twenty tokens."}, key=system.key)
    straight = post("/v1/embeddings", {"model": "embedding", "input": "Twenty tokens."}, key=system.key)
    return await _passed_on(system, "embeddings", request, straight, seconds)


async def _passed_on(system: System, name: str, request: bytes, straight: bytes, seconds: float) -> list[Row]:
    await load([system.api, system.second_api], ask(request), 8, 0.7)
    rows = []
    for concurrency in CONCURRENCIES:
        ports = [system.api] if concurrency == 1 else [system.api, system.second_api]
        direct = await load([system.upstream], ask(straight), concurrency, seconds * STRAIGHT_SHARE)
        row = await measure(system, name, ask(request), concurrency, seconds, ports=ports)
        compare(row, direct, seconds * STRAIGHT_SHARE)
        if concurrency == 1:
            row.target = Target("adds <= 2.5 ms", met=(row.added or 0) <= 2.5)
        rows.append(row)
    return rows


async def chunks(system: System, seconds: float) -> list[Row]:
    """Many streams at an even rate, each token in a chunk of its own: what passing a chunk on costs the API."""
    model = f"tokens={round(_RATE * seconds)},rate={_RATE}"
    body = {"messages": [{"role": "user", "content": "Say tokens."}], "stream": True}
    request = post("/v3/router/chat/completions", {"model": f"bench/{model}", **body}, key=system.key)
    straight = post("/v1/chat/completions", {"model": model, **body}, key=system.key)
    direct = await _together(system.upstream, straight, seconds)
    before, began = system.cpu(), time.monotonic()
    answers = await _together(system.api, request, seconds)
    wall, after = time.monotonic() - began, system.cpu()
    count = sum(answer.events for answer in answers)
    cpu = {process: after[process] - before[process] for process in after}
    each = 1e6 * cpu["api"] / count
    row = Row(
        scenario=f"router, {_STREAMS} streams of {_RATE}/s",
        what="age of a chunk",
        count=count,
        unit="chunks",
        wall=wall,
        times=Times.of(age for answer in answers for _, age in answer.ages),
        straight=Times.of(age for answer in direct for _, age in answer.ages),
        cpu=cpu,
        target=Target("adds <= 25 us CPU per chunk", met=each <= 25),
        note=f"{each:.1f} us CPU of the API per chunk",
    )
    return [row]


async def _together(port: int, request: bytes, seconds: float) -> list[Answer]:
    """Open all streams and read them to their ends."""
    async with asyncio.timeout(seconds + _GRACE):
        connections = [await Connection.open(port) for _ in range(_STREAMS)]
        answers = await asyncio.gather(*(each.ask(request, sample=n % 10 == 0) for n, each in enumerate(connections)))
    for connection in connections:
        connection.close()
    return list(answers)
