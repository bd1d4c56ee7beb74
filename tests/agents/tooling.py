"""Tools that do what a test says, and calls of them."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, Protocol

from agents.tools.base import Call, Effect, Function, Queue
from agents.tools.box import Toolbox
from shared.items import Json
from shared.settings import Settings

NOW = datetime(2026, 1, 2, 23, 30, 5, 999, tzinfo=UTC)


class Job(Protocol):
    """What a tool does."""

    def __call__(self, arguments: Json, /) -> Awaitable[Any]:
        """Take the arguments, return the result."""


async def echo(arguments: Json, /) -> Any:
    return arguments


class Fixed:
    """A tool that is the same for every spec; it is offered by the spec's `name`, if it has one."""

    queue: Queue = "tools"

    def __init__(self, job: Job = echo, *, effect: Effect = "pure", timeout: float = 5.0) -> None:
        self._job = job
        self._effect = effect
        self._timeout = timeout

    def offer(self, spec: Json, /) -> Function:
        name = spec.get("name") or str(spec["type"]).replace(":", "_")
        return Function(name=name, description="Does it.", parameters={"type": "object"})

    def effect(self, _: Json, /) -> Effect:
        return self._effect

    def timeout(self, _: Json, /) -> float:
        return self._timeout

    async def run(self, _: Json, arguments: Json, __: Call, /) -> Any:
        return await self._job(arguments)


def a_call(name: str = "f", *, timeout: float = 5.0) -> Call:
    return Call(
        name=name,
        now=NOW,
        idempotency_key="k",
        attempt=1,
        timeout=timeout,
        engine="text",
        variables={},
        secrets={},
        box=Toolbox(Settings()),
    )
