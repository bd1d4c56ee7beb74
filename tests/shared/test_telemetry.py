"""Traces cost nothing where nobody collects them, and say no more than they may."""

import asyncio
import os
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Callable, Iterator

import pytest

from shared import telemetry
from tests import collector as far
from tests.collector import Collector, Seen

SECOND = 1_000_000_000
CARRIED = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": "vendor=known"}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector, which this process's environment names."""
    with far.collecting() as collecting:
        for name, value in collecting.env.items():
            monkeypatch.setenv(name, value)
        yield collecting


def told(collector: Collector, work: Callable[[], None], *, content: bool = False) -> list[Seen]:
    """Do some work while spans are sent, and return those that came."""

    async def main() -> None:
        async with telemetry.exporting("rondo-test", os.environ, content=content):
            work()

    asyncio.run(main())
    return sorted(collector.spans, key=lambda span: span.begun)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_opentelemetrys_own_variables_decide(environ: dict[str, str], wanted: bool) -> None:
    assert telemetry.wanted(environ) is wanted


def test_neither_library_is_loaded_where_nothing_is_watched() -> None:
    # The Redis client imports the SDK's other parts by itself.
    ours = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "prometheus_client")
    check = f"import sys, api.app, worker.advance\nprint([name for name in sys.modules if name.startswith({ours})])"
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-c", check], env=env, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_span_costs_less_than_a_microsecond_where_it_is_not_sent() -> None:
    def one() -> None:
        with telemetry.span("name", kind="client", attributes={"a": 1, "b": "two"}) as span:
            span.set({"c": 3})

    assert min(timeit.repeat(one, number=10_000, repeat=20)) / 10_000 < 1e-6


def test_where_spans_are_not_sent_nothing_is_carried_and_no_line_is_bound() -> None:
    with telemetry.span("name", remote=CARRIED):
        assert (telemetry.on(), telemetry.carried(), telemetry.log_ids()) == (False, {}, {})


def test_spans_of_blocks_stand_below_each_other(collector: Collector) -> None:
    def work() -> None:
        with telemetry.span("outer"), telemetry.span("inner", kind="client", attributes={"a": 1, "none": None}):
            pass

    outer, inner = told(collector, work)
    assert (outer.name, outer.parent, inner.name, inner.parent) == ("outer", "", "inner", outer.id)
    assert (inner.kind, inner.attributes, inner.service) == ("client", {"a": 1}, "rondo-test")


def test_what_is_carried_is_gone_on_with_elsewhere_with_its_vendors_state(collector: Collector) -> None:
    carried: list[dict[str, str]] = []

    def work() -> None:
        with telemetry.span("here", remote=CARRIED):
            carried.append(telemetry.carried())
            assert telemetry.log_ids() == {"trace_id": "a" * 32}
        with telemetry.span("there", remote=carried[0]):
            pass

    here, there = told(collector, work)
    assert (here.trace, here.parent) == ("a" * 32, "b" * 16)
    assert (there.trace, there.parent) == (here.trace, here.id)
    assert carried[0]["tracestate"] == "vendor=known"


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense"}, {"traceparent": f"00-{'0' * 32}-{'b' * 16}-01"}])
def test_a_trace_that_cannot_be_read_is_a_new_one(collector: Collector, headers: dict[str, str]) -> None:
    def work() -> None:
        with telemetry.span("here", remote=headers):
            pass

    (here,) = told(collector, work)
    assert here.parent == ""


def test_a_span_that_is_told_of_late_has_its_own_beginning_and_parent(collector: Collector) -> None:
    def work() -> None:
        with telemetry.span("outer"):
            call = telemetry.begin("call")
        attempt = telemetry.begin("attempt", under=call, ago=2.0)
        for span in (attempt, call):
            span.end()

    attempt, outer, call = told(collector, work)
    assert (attempt.name, attempt.parent, call.parent) == ("attempt", call.id, outer.id)
    assert 2 * SECOND <= attempt.ended - attempt.begun < 3 * SECOND


def test_an_exception_fails_its_span_by_its_kind_and_not_by_its_words(collector: Collector) -> None:
    def work() -> None:
        with pytest.raises(ValueError, match="sk-secret"), telemetry.span("here"):
            raise ValueError("sk-secret")

    (here,) = told(collector, work)
    assert (here.failed, here.attributes) == (True, {"error.type": "ValueError"})
    assert not any(b"sk-secret" in body for body in collector.bodies)


def test_the_environment_may_name_the_service(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    (here,) = told(collector, lambda: telemetry.begin("here").end())
    assert here.service == "shop"


def test_a_protocol_that_is_not_spoken_leaves_traces_off_and_the_process_running(collector: Collector) -> None:
    async def main() -> None:
        async with telemetry.exporting("rondo-test", {**collector.env, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}):
            assert not telemetry.on()

    asyncio.run(main())


def test_a_collector_that_is_away_keeps_no_process_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")

    async def main() -> None:
        async with telemetry.exporting("rondo-test", os.environ):
            telemetry.begin("here").end()

    begun = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begun < 2 * telemetry.LAST + 2
    assert not telemetry.on()
    assert not any(thread.name == "traces" for thread in threading.enumerate())
