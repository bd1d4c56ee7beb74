"""What a model is asked: the context, in the shapes that every adapter knows, and the settings of the response."""

from collections.abc import Iterable

import orjson

from agents.models.base import ModelRequest
from agents.toolset import Toolset
from agents.turn import Turn
from shared.items import CALL_OUTPUTS, CALLS, Item

_PROTECTED = frozenset({"system", "developer"})


def build(turn: Turn, toolset: Toolset) -> ModelRequest:
    """Make the request for the turn's next model call."""
    body = turn.body
    return ModelRequest(
        model=turn.model,
        items=items(turn.history, toolset),
        instructions=body.get("instructions"),
        tools=toolset.tools,
        tool_choice=toolset.choice,
        parallel_tool_calls=body.get("parallel_tool_calls") is not False,
        sampling=turn.sampling,
        text=body.get("text") or {},
        reasoning=body.get("reasoning") or {},
        passthrough=turn.passthrough,
        timeouts=turn.timeouts,
    )


def items(history: Iterable[Item], toolset: Toolset) -> list[Item]:
    """Turn a history into items that adapters know.

    Results of server tools become the outputs of their calls. No item is given twice. Calls and outputs are given in pairs
    only, which drops calls that were cut off, and reasoning only before what it led to: providers refuse anything else.
    """
    known = [_known(item, toolset) for item in _once(history)]
    called = {item["call_id"] for item in known if item.get("type") in CALLS and item.get("status") != "incomplete"}
    paired = called & answered(known)
    return _led_somewhere([item for item in known if _belongs(item, paired)])


def answered(history: Iterable[Item]) -> set[str]:
    """Collect the `call_id` of every call that has an output, or a server tool's result."""
    return {item["call_id"] for item in history if item.get("type") in CALL_OUTPUTS or _is_result(item)}


def drop_oldest(context: list[Item]) -> list[Item] | None:
    """Drop about the older half of a context that is too long; None if nothing is left to drop.

    System and developer messages and the newest user message stay. A call goes with its output, reasoning with what follows it.
    """
    droppable = _droppable(context)
    if not droppable:
        return None
    count = (len(droppable) + 1) // 2
    while count < len(droppable) and context[droppable[count - 1]].get("type") == "reasoning":
        count += 1
    dropped = set(droppable[:count])
    pairs = {context[index].get("call_id") for index in dropped} - {None}
    return [item for index, item in enumerate(context) if index not in dropped and item.get("call_id") not in pairs]


def _droppable(context: list[Item]) -> list[int]:
    """List the positions of what may go, oldest first."""
    users = [index for index, item in enumerate(context) if item.get("role") == "user"]
    newest = users[-1] if users else None
    return [index for index, item in enumerate(context) if index != newest and item.get("role") not in _PROTECTED]


def _once(history: Iterable[Item]) -> list[Item]:
    """Leave out items whose id was there before."""
    seen: set[str] = set()
    kept = []
    for item in history:
        id_ = item.get("id")
        if id_ is None or id_ not in seen:
            kept.append(item)
        if id_ is not None:
            seen.add(id_)
    return kept


def _known(item: Item, toolset: Toolset) -> Item:
    """Rewrite what adapters do not know: results of server tools, and names that the model was offered differently."""
    if _is_result(item):
        return {"type": "function_call_output", "call_id": item["call_id"], "output": _told(item)}
    if item.get("type") in CALLS and item.get("namespace"):
        tool = toolset.owned(item)
        if tool is not None and tool.offered != item["name"]:
            return item | {"name": tool.offered}
    return item


def _is_result(item: Item) -> bool:
    return str(item.get("type")).startswith("orq:") and "call_id" in item


def _told(result: Item) -> str:
    """Say a server tool's result, or its error, as text."""
    if result.get("error") is not None:
        return str(result["error"])
    value = result.get("result")
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _belongs(item: Item, paired: set[str]) -> bool:
    if item.get("type") in CALLS:
        return item["call_id"] in paired and item.get("status") != "incomplete"
    return item.get("type") not in CALL_OUTPUTS or item["call_id"] in paired


def _led_somewhere(context: list[Item]) -> list[Item]:
    """Leave out reasoning that no item of the model follows."""
    kept: list[Item] = []
    for item in reversed(context):
        if item.get("type") != "reasoning" or (kept and _by_model(kept[-1])):
            kept.append(item)
    return kept[::-1]


def _by_model(item: Item) -> bool:
    return item.get("role", "assistant") == "assistant" and item.get("type") not in CALL_OUTPUTS
