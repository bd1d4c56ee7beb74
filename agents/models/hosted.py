"""Tools that only their vendor's own wire can serve: elsewhere they are left out, and the log says so."""

from collections.abc import Iterable
from typing import Final

import structlog

from shared.items import Json

_BY_NAME: Final = frozenset({"function", "custom"})

log = structlog.get_logger(__name__)


def without(tools: Iterable[Json], *, wire: str) -> list[Json]:
    """Keep the tools that are called by name; the types of the others are logged, once each."""
    tools = list(tools)
    kept = [tool for tool in tools if tool.get("type") in _BY_NAME]
    if len(kept) < len(tools):
        for type_ in sorted({str(tool.get("type")) for tool in tools} - _BY_NAME):
            log.warning("hosted_tool_skipped", type=type_, wire=wire)
    return kept
