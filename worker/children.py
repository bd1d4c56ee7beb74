"""Calls that are answered by a response of their own."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.plan import Plan
from agents.tools.base import ToolError
from agents.tools.delegates import DELEGATES
from shared.items import Json
from worker.call_store import Claimed
from worker.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Delegated:
    """The call waits for this response."""

    response_id: str


def delegates(spec: Json) -> bool:
    """Say whether calls of this tool become responses."""
    return spec["type"] in DELEGATES


async def delegate(runtime: Runtime, call: Claimed, plan: Plan, spec: Json, texts: Mapping[str, str]) -> Delegated:
    """Have the call answered by a child."""
    raise ToolError("Delegation is not there yet.")
