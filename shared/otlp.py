"""OpenTelemetry's SDK behind `shared.telemetry`: spans in batches, over OTLP/HTTP, set up by its own variables.

The provider is not made the global one: libraries that trace by themselves would tell everything twice.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Final

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.telemetry import Attributes, Kind, Scope, Span, Value

_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
}
_SECOND: Final = 1_000_000_000
_HEADERS: Final = TraceContextTextMapPropagator()


class OpenSpan:
    """A span of the SDK's."""

    __slots__ = ("real",)

    def __init__(self, real: trace.Span) -> None:
        """Wrap one."""
        self.real = real

    def set(self, attributes: Attributes) -> None:
        """Say more of it."""
        self.real.set_attributes(_given(attributes))

    def rename(self, name: str) -> None:
        """Give it a better name."""
        self.real.update_name(name)

    def fail(self, error_type: str) -> None:
        """Mark it as failed."""
        self.real.set_attribute("error.type", error_type)
        self.real.set_status(StatusCode.ERROR)

    def end(self) -> None:
        """Have it sent."""
        self.real.end()


class Otlp:
    """The tracer of a process, and what sends its spans."""

    def __init__(self, service: str, environ: Mapping[str, str]) -> None:
        """Begin to send, in a thread; `service` is the name if the environment gives none."""
        named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        resource = Resource.create({} if named else {"service.name": service})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._exporter = OTLPSpanExporter()
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("rondo")

    def close(self, *, within: float) -> None:
        """Send what is left, and after so many seconds give up."""
        closing = Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(within)
        if closing.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # which ends its wait for another attempt
            closing.join(within)

    def span(self, name: str, kind: Kind, attributes: Attributes, remote: Mapping[str, str] | None) -> Scope:
        """Make a span for a block."""
        return self._block(name, kind, attributes, remote)

    @contextmanager
    def _block(self, name: str, kind: Kind, attributes: Attributes, remote: Mapping[str, str] | None) -> Iterator[Span]:
        above = _HEADERS.extract(remote) if remote else None
        real = self._tracer.start_span(name, above, _KINDS[kind], _given(attributes))
        opened = OpenSpan(real)
        token = context.attach(trace.set_span_in_context(real, above))
        try:
            yield opened
        except asyncio.CancelledError:
            opened.fail("cancelled")
            raise
        except Exception as error:
            opened.fail(type(error).__name__)
            raise
        finally:
            context.detach(token)
            real.end()

    def begin(self, name: str, kind: Kind, attributes: Attributes, under: Span | None, ago: float) -> Span:
        """Begin a span that is ended by hand."""
        above = trace.set_span_in_context(under.real) if isinstance(under, OpenSpan) else None
        begun = time.time_ns() - int(ago * _SECOND)
        return OpenSpan(self._tracer.start_span(name, above, _KINDS[kind], _given(attributes), start_time=begun))

    def current(self) -> Span:
        """Return the span of the innermost block."""
        return OpenSpan(trace.get_current_span())

    def carried(self) -> dict[str, str]:
        """Write down the current span."""
        headers: dict[str, str] = {}
        _HEADERS.inject(headers)
        return headers

    def trace_id(self) -> str | None:
        """Return the current trace's id."""
        known = trace.get_current_span().get_span_context()
        return trace.format_trace_id(known.trace_id) if known.is_valid else None


def _given(attributes: Attributes) -> dict[str, Value]:
    return {name: value for name, value in attributes.items() if value is not None}
