"""Spans of what a process does, for an OpenTelemetry collector if the environment names one; else next to nothing happens.

As with the log, whoever has something to tell calls this module, and the process's door decides whether anybody hears it.
A trace goes on in another process by its W3C headers: those of a request, or what `carried` put into a response's plan.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, Protocol, Self, TypeAlias

import structlog

log = structlog.get_logger(__name__)

Kind: TypeAlias = Literal["internal", "server", "client"]
Value: TypeAlias = str | bool | int | float | Sequence[str]
Attributes: TypeAlias = Mapping[str, Value | None]
"""By OpenTelemetry's names, else below `rondo.`; what is None is left out."""

LAST: Final = 1.0
"""Seconds that a process which ends gives its last spans to be sent."""

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_NOTHING: Final[Mapping[str, Value | None]] = {}


class Span(Protocol):
    """Something that takes time."""

    def set(self, attributes: Attributes) -> None:
        """Say more of it."""

    def rename(self, name: str) -> None:
        """Give it a better name."""

    def fail(self, error_type: str) -> None:
        """Mark it as failed; `error_type` is one of few words, never a message, which may repeat what it was given."""

    def end(self) -> None:
        """Have it sent."""


class Scope(AbstractContextManager[Span], Protocol):
    """A span for the length of a block: spans begun within are below it, and an exception marks it as failed."""


class Tracer(Protocol):
    """What makes spans while they are sent anywhere."""

    def span(self, name: str, kind: Kind, attributes: Attributes, remote: Mapping[str, str] | None) -> Scope:
        """Make a span for a block."""

    def begin(self, name: str, kind: Kind, attributes: Attributes, under: Span | None, ago: float) -> Span:
        """Begin a span that is ended by hand."""

    def current(self) -> Span:
        """Return the span of the innermost block."""

    def carried(self) -> dict[str, str]:
        """Write down the current span."""

    def trace_id(self) -> str | None:
        """Return the current trace's id, in hex."""


class _Off:
    """A span that nobody hears of; one for all."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set(self, attributes: Attributes) -> None:
        """Do nothing."""

    def rename(self, name: str) -> None:
        """Do nothing."""

    def fail(self, error_type: str) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


OFF: Final = _Off()


@dataclass(slots=True)
class _Process:
    """What this process sends."""

    tracer: Tracer | None = None
    content: bool = False


_process: Final = _Process()


def on() -> bool:
    """Whether spans are sent: ask before computing what only they need."""
    return _process.tracer is not None


def content() -> bool:
    """Whether spans may say what was said: messages, arguments and results."""
    return _process.content


def span(
    name: str, *, kind: Kind = "internal", attributes: Attributes = _NOTHING, remote: Mapping[str, str] | None = None
) -> Scope | _Off:
    """Make a span for a block: `with telemetry.span(…) as span`. Costs a tenth of a microsecond where spans are not sent.

    It is below the current one, or continues the trace whose W3C headers are in `remote`.
    """
    tracer = _process.tracer
    return OFF if tracer is None else tracer.span(name, kind, attributes, remote)


def begin(
    name: str, *, kind: Kind = "internal", attributes: Attributes = _NOTHING, under: Span | None = None, ago: float = 0.0
) -> Span:
    """Begin a span that somebody must `end`, `ago` seconds before now; no other span comes below it by itself.

    It is below `under`, else below the current one.
    """
    tracer = _process.tracer
    return OFF if tracer is None else tracer.begin(name, kind, attributes, under, ago)


def current() -> Span:
    """Return the span of the innermost block."""
    tracer = _process.tracer
    return OFF if tracer is None else tracer.current()


def carried() -> dict[str, str]:
    """Write down the current span as W3C headers, so that another process can go on below it: `span(…, remote=…)`."""
    tracer = _process.tracer
    return {} if tracer is None else tracer.carried()


def log_ids() -> dict[str, str]:
    """Say what lines of the log bind to be found by their trace."""
    tracer = _process.tracer
    trace_id = None if tracer is None else tracer.trace_id()
    return {} if trace_id is None else {"trace_id": trace_id}


def wanted(environ: Mapping[str, str]) -> bool:
    """Read OpenTelemetry's own variables: whether there is a collector, and nothing that forbids to use it."""
    off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    others = environ.get("OTEL_TRACES_EXPORTER", "").strip() not in {"", "otlp"}
    return not off and not others and any(environ.get(name, "").strip() for name in _ENDPOINTS)


@asynccontextmanager
async def exporting(service: str, environ: Mapping[str, str], *, content: bool = False) -> AsyncIterator[None]:
    """Send spans for the length of the block, if that is wanted. `service` is its name, unless the environment gives one.

    `content` lets spans say what was said.
    """
    if not wanted(environ):
        yield
        return
    protocol = next((found for name in _PROTOCOLS if (found := environ.get(name, "").strip())), "http/protobuf")
    if protocol != "http/protobuf":
        log.warning("traces_off", reason=f"only the protocol http/protobuf is spoken, not {protocol}")
        yield
        return
    from shared.otlp import Otlp  # noqa: PLC0415  # a quarter of a second, for a library that most processes do not need

    otlp = Otlp(service, environ)
    _process.tracer, _process.content = otlp, content
    try:
        yield
    finally:
        _process.tracer, _process.content = None, False
        await asyncio.to_thread(otlp.close, within=LAST)
