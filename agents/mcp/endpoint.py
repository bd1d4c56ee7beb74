"""Where an MCP server is, and how it is greeted."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Transport: TypeAlias = Literal["auto", "http", "sse"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a session belongs to: who names the same address and the same headers shares it."""

    url: str = field(repr=False)
    transport: Transport = "auto"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
