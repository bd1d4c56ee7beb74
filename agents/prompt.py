"""What a model is asked: the context, in the shapes that every adapter knows, and the settings of the response."""

from collections.abc import Iterable, Iterator

from agents import calls
from agents.models.base import ModelRequest
from agents.toolset import Toolset
from agents.turn import Turn
from shared.items import CALL_OUTPUTS, CALLS, Item

_PROTECTED = frozenset({"system", "developer"})
_CALLS = CALLS | {"mcp_call"}
_MCP = frozenset({"mcp_call", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response"})


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

    Results of server tools become the outputs of their calls, and an MCP call becomes a call and its output. Listings, and
    requests for approval with their answers, are no model's affair. No item is given twice. Calls and outputs are given in
    pairs only, which drops calls that were cut off, and reasoning only before what it led to: providers refuse anything else.
    """
    known = list(_known(_once(history), toolset))
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


def _known(history: list[Item], toolset: Toolset) -> Iterator[Item]:
    """Rewrite what adapters do not know. The outputs of MCP calls wait for the end of the calls that were made at once."""
    outputs: list[Item] = []
    for item in history:
        type_ = item.get("type")
        if outputs and type_ not in _CALLS:
            yield from outputs
            outputs = []
        if type_ in _MCP:
            pair = _pair(item, toolset) if type_ == "mcp_call" else []
            yield from pair[:1]
            outputs += pair[1:]
        else:
            yield _rewritten(item, toolset)
    yield from outputs


def _pair(item: Item, toolset: Toolset) -> list[Item]:
    """Make a call and its output of an MCP call; nothing of one that has no result."""
    if item.get("output") is None and not item.get("error"):
        return []
    call_id = item.get("call_id") or item["id"]
    tool = toolset.owned(item)
    name = item["name"] if tool is None else tool.offered
    call = {"type": "function_call", "call_id": call_id, "name": name, "arguments": item["arguments"]}
    return [call, {"type": "function_call_output", "call_id": call_id, "output": _said(item)}]


def _said(item: Item) -> str:
    """Say an MCP call's output, or its error, as text."""
    match item.get("error"):
        case None | "":
            return calls.text(item["output"])
        case {"content": [{"text": str(sentence)}, *_]} | {"message": str(sentence)}:
            return sentence
        case error:
            return calls.text(error)


def _rewritten(item: Item, toolset: Toolset) -> Item:
    """Rewrite results of server tools, and names that the model was offered differently."""
    if _is_result(item):
        return {"type": "function_call_output", "call_id": item["call_id"], "output": _told(item)}
    if item.get("type") not in CALLS:
        return item
    if "approval_request_id" in item:
        item = {name: value for name, value in item.items() if name != "approval_request_id"}
    tool = toolset.owned(item) if item.get("namespace") else None
    return item if tool is None or tool.offered == item["name"] else item | {"name": tool.offered}


def _is_result(item: Item) -> bool:
    return str(item.get("type")).startswith("orq:") and "call_id" in item


def _told(result: Item) -> str:
    """Say a server tool's result, or its error, as text."""
    return str(result["error"]) if result.get("error") is not None else calls.text(result.get("result"))


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
