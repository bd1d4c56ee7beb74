"""Numbers are kept for whoever asks, on a port of their own, and cost next to nothing where nobody does."""

import asyncio
import socket
import timeit

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from shared import metrics
from shared.instruments import Instrument
from tests.system.running import free_port


def families(port: int) -> dict[str, dict[tuple[str, ...], float]]:
    text = httpx2.get(f"http://127.0.0.1:{port}/metrics").raise_for_status().text
    return {
        family.name: {(one.name, *sorted(one.labels.values())): one.value for one in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_what_happens_is_served_as_prometheus_reads_it() -> None:
    port = free_port()

    async def main() -> dict[str, dict[tuple[str, ...], float]]:
        async with metrics.serving(host="127.0.0.1", port=port):
            metrics.attempt(provider="openai", outcome="answered", seconds=0.2)
            metrics.rescued("leases_expired", 3)
            metrics.rescued("stranded", 0)
            metrics.running("responses", lambda: 7)
            metrics.router_answer(endpoint="embeddings", provider="openai", first_token=None, tokens=(4, 0), cost=0.5)
            return await asyncio.to_thread(families, port)

    found = asyncio.run(main())
    assert found["rondo_router_attempts"]["rondo_router_attempts_total", "answered", "openai"] == 1
    assert found["rondo_rescued"]["rondo_rescued_total", "leases_expired"] == 3
    assert ("rondo_rescued_total", "stranded") not in found["rondo_rescued"]
    assert found["rondo_running"]["rondo_running", "responses"] == 7
    assert found["rondo_router_cost_dollars"]["rondo_router_cost_dollars_total", "embeddings", "openai"] == 0.5
    assert found["process_resident_memory_bytes"]["process_resident_memory_bytes",] > 0


def test_a_port_is_free_again_when_the_process_ends() -> None:
    port = free_port()

    async def main() -> None:
        for _ in range(2):
            async with metrics.serving(host="127.0.0.1", port=port):
                assert "rondo_steps" in await asyncio.to_thread(families, port)

    asyncio.run(main())


def test_a_port_that_is_taken_costs_the_numbers_and_not_the_process() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            async with metrics.serving(host="127.0.0.1", port=taken.getsockname()[1]):
                metrics.flush(0.1)

    asyncio.run(main())


def test_an_observation_costs_less_than_a_third_of_a_microsecond_where_nobody_asks() -> None:
    unwatched = Instrument("histogram", "rondo_unwatched_seconds", "Nothing.", ("of",))
    assert min(timeit.repeat(lambda: unwatched.observe(1.0, "it"), number=10_000, repeat=20)) / 10_000 < 0.3e-6
