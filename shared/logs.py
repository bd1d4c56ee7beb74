"""One log per process, on standard error: lines of JSON, or readable on a terminal; what is secret is masked.

Log with `structlog.get_logger(__name__)`. Libraries that use the standard library's logging come out the same way.
`structlog.contextvars.bound_contextvars(response_id=…)` adds to every line of a block, and of the tasks it starts.
"""

import json
import logging
import re
import sys
from collections.abc import Callable
from typing import Any, Final, TextIO

import orjson
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.settings import SettingError, Settings

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

_CHATTY: Final = ("httpx2", "httpcore2", "asyncio", "aiohttp.access", "kombu", "celery.redirected")
"""Libraries whose every step is an info line; from them only warnings are wanted."""

_SECRET_KEY: Final = re.compile(r"(^|[_-])(authorization|api[_-]?key|token|secret|password|cookie)$", re.IGNORECASE)
_SECRET_TEXT: Final = re.compile(
    r"(?P<before>\b(?:rk|sk|pk)[_-]|\bBearer\s+)[\w.~+/=-]{8,}|(?P<scheme>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)",
    re.IGNORECASE,
)
"""Our keys, most providers' keys, the header that carries them, and a URL's password."""
_MASK: Final = "***"


def configure(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send every logger's lines to `stream`, else standard error. Raises SettingError for an unknown level or format."""
    level = _LEVELS.get(settings.log_level.lower())
    if level is None:
        raise SettingError(f"RONDO_LOG_LEVEL must be one of {', '.join(_LEVELS)}, but is {settings.log_level!r}.")
    out = stream or sys.stderr
    last = _last_steps(settings.log_format, out)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, _add_name, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *names: _Line(out, *names),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
    ]
    handler.setFormatter(
        ProcessorFormatter(foreign_pre_chain=first, processors=[ProcessorFormatter.remove_processors_meta, *last])
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _last_steps(log_format: str, out: TextIO) -> list[Processor]:
    """Choose how an event becomes a line. Both ways mask after the traceback is text, so that it is masked too."""
    match "console" if log_format == "auto" and out.isatty() else log_format:
        case "console":
            time = structlog.processors.TimeStamper(fmt="%H:%M:%S")
            plain = structlog.dev.plain_traceback  # others show local variables, secrets among them
            render: Processor = structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain)
        case "json" | "auto":
            time = structlog.processors.TimeStamper(fmt="iso", utc=True)
            render = structlog.processors.JSONRenderer(serializer=_json)
        case _:
            raise SettingError(f"RONDO_LOG_FORMAT must be json, console or auto, but is {log_format!r}.")
    return [time, structlog.processors.format_exc_info, mask, render]


class _Line:
    """The end of one of our loggers: writes lines, and knows the logger's name."""

    def __init__(self, out: TextIO, name: str = "rondo") -> None:
        self.name = name
        self._out = out

    def write(self, line: str) -> None:
        """Write a whole line at once, so that lines of several threads do not mix."""
        self._out.write(f"{line}\n")
        self._out.flush()

    debug = info = warning = error = critical = write


def _add_name(logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["logger"] = logger.name
    return event


def mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide values whose key says that they are secret, and what looks like a key or a URL's password anywhere."""
    return {key: _masked(key, value) for key, value in event.items()}


def _masked(key: str, value: Any) -> Any:
    match value:
        case str():
            return _MASK if _SECRET_KEY.search(key) else _SECRET_TEXT.sub(_hide, value)
        case dict():
            return {inner: _masked(str(inner), part) for inner, part in value.items()}
        case list() | tuple():
            return [_masked(key, part) for part in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return _masked(key, str(value))


def _hide(found: re.Match[str]) -> str:
    return f"{found['before'] or found['scheme']}{_MASK}"


def _json(event: EventDict, **_options: Callable[[Any], Any]) -> str:
    try:
        return orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # half a surrogate pair, or a number of more than 64 bits
        return json.dumps(event, default=str, ensure_ascii=False).encode(errors="replace").decode()
