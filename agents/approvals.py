"""Which calls a person has to approve, and what was decided: read from specs and histories, so that nothing else is kept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.mcp import selection
from agents.plan import ApprovalPolicy
from agents.toolset import Offered
from shared.items import Item, Json

_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a client said about a request."""

    request: Item
    approve: bool
    reason: str | None = None


def may_need(tool: Offered, policy: ApprovalPolicy) -> bool:
    """Say whether some call of the tool could need approval, whatever its arguments are."""
    if tool.server is None or policy == "none":
        return False
    return policy == "all" or bool(tool.server.get("requires_approval")) or tool.label is not None


def needs(spec: Json, arguments: Json, policy: ApprovalPolicy, name: str, *, listed: Item | None = None) -> bool:
    """Say whether this call needs approval. `listed` is the listing of the MCP server whose function `name` is.

    Conditions are held against the arguments that the tool would get, configured ones included.
    """
    if policy != "respect_tool":
        return policy == "all"
    if spec["type"] == "mcp" and selection.needs_approval(spec, name, listed):
        return True
    if not spec.get("requires_approval"):
        return False
    given = arguments | (spec.get("configuration") or {})
    return all(_holds(condition, given) for condition in spec.get("conditions") or [])


def pending(history: Iterable[Item]) -> list[Item]:
    """List the requests that nobody has decided, oldest first."""
    history = list(history)
    decided_ = {item["approval_request_id"] for item in history if item.get("approval_request_id")}
    return [item for item in _requests(history).values() if item["id"] not in decided_]


def decided(history: Iterable[Item]) -> list[Decision]:
    """List the decisions that are not carried out yet, oldest first. Of many about one request, the first counts.

    A call that names its request shows that the decision was carried out.
    """
    history = list(history)
    requests = _requests(history)
    decisions: dict[str, Decision] = {}
    done: set[str] = set()
    for item in history:
        request_id = item.get("approval_request_id")
        if request_id not in requests:
            continue
        if item.get("type") == "mcp_approval_response":
            decision = Decision(requests[request_id], item.get("approve") is True, item.get("reason"))
            decisions.setdefault(request_id, decision)
        else:
            done.add(request_id)
    return [decision for request_id, decision in decisions.items() if request_id not in done]


def _requests(history: Iterable[Item]) -> dict[str, Item]:
    return {item["id"]: item for item in history if item.get("type") == "mcp_approval_request" and item.get("id")}


def _holds(condition: Json, arguments: Json) -> bool:
    """Say whether a condition holds. What cannot be compared, or is not understood, holds: a person shall look at it."""
    value = _at(arguments, condition["condition"])
    wanted = condition.get("value")
    if condition["operator"] == "exists":
        return (value is not _MISSING) == (wanted is not False)
    if value is _MISSING:
        return condition["operator"] in {"ne", "not_in"}
    try:
        return _compare(condition["operator"], value, wanted)
    except TypeError:
        return True


def _compare(operator: str, value: Any, wanted: Any) -> bool:
    """Compare an argument with a condition's value. Raises `TypeError` for values that cannot be compared."""
    match operator:
        case "eq":
            holds = value == wanted
        case "ne":
            holds = value != wanted
        case "gt":
            holds = value > wanted
        case "gte":
            holds = value >= wanted
        case "lt":
            holds = value < wanted
        case "lte":
            holds = value <= wanted
        case "in":
            holds = value in wanted
        case "not_in":
            holds = value not in wanted
        case "contains":
            holds = wanted in value
        case _:
            holds = True
    return bool(holds)


def _at(arguments: Any, path: str) -> Any:
    """Look up an argument by its name, or by the path to it."""
    if isinstance(arguments, Mapping) and path in arguments:
        return arguments[path]
    head, dot, rest = path.partition(".")
    if not dot or not isinstance(arguments, Mapping) or head not in arguments:
        return _MISSING
    return _at(arguments[head], rest)
