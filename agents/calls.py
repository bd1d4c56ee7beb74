"""The calls a model makes: under which names and ids they enter the log, and who answers them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import orjson

from agents.models.base import ModelEvent, ToolCallStarted
from agents.output import NewId
from agents.tools.registry import TOOLS
from agents.toolset import Toolset
from agents.turn import ServerCall, ToolResult
from shared.items import CALLS, Item

CUT_OFF: Final = "The model's turn was cut off, so this call was not run."


class Gate:
    """Lets the calls of one model call into the log, by their owners' names and with ids that are unique."""

    def __init__(self, toolset: Toolset, history: Iterable[Item], *, parallel: bool, new_id: NewId) -> None:
        """Without `parallel`, only the first call gets in."""
        self._toolset = toolset
        self._taken = {item["call_id"] for item in history if "call_id" in item}
        self._parallel = parallel
        self._new_id = new_id
        self._count = 0

    def admit(self, event: ModelEvent) -> ModelEvent | None:
        """Return the event as the log gets it, or None if it stays out."""
        if not isinstance(event, ToolCallStarted):
            return event
        if self._count and not self._parallel:
            return None
        self._count += 1
        tool = self._toolset.named(event.name)
        if tool is not None:
            event = replace(event, name=tool.name, namespace=tool.namespace)
        # Some servers number a turn's calls from 0 again, or give them no id; pairing by id would mix them up.
        if not event.call_id or event.call_id in self._taken:
            event = replace(event, call_id=self._new_id("call"))
        self._taken.add(event.call_id)
        return event


@dataclass(slots=True)
class Sorted:
    """The calls of one model call, each in one place."""

    server: list[ServerCall] = field(default_factory=list)
    client: list[Item] = field(default_factory=list)
    refused: list[Item] = field(default_factory=list)
    """Items that tell the model why a call was not run."""


def sort(items: Sequence[Item], toolset: Toolset, *, budget: int | None, cut_off: bool) -> Sorted:
    """Sort the complete calls among `items`.

    `budget` is how many server calls may still run; None means any number. In a turn that was `cut_off`, none is run.
    """
    made = Sorted()
    for call in items:
        if call["type"] not in CALLS or call["status"] == "incomplete":
            continue
        tool = toolset.owned(call)
        fault = _unknown(call, toolset) if tool is None else _malformed(call)
        if fault is not None:
            made.refused.append(_refusal(call, fault))
        elif tool is None or tool.server is None:
            made.client.append(call)
        else:
            server = _server_call(call, tool.server)
            refusal = CUT_OFF if cut_off else _over(len(made.server), budget)
            if refusal is None:
                made.server.append(server)
            else:
                made.refused.append(_failed(server, refusal))
    return made


def result_item(result: ToolResult) -> Item:
    """Make the item that shows what a server tool gave."""
    item = {
        "type": result.tool,
        "call_id": result.call_id,
        "name": result.name,
        "arguments": result.arguments,
        "status": "completed",
    }
    return item | ({"result": result.result} if result.error is None else {"error": result.error})


def _failed(call: ServerCall, sentence: str) -> Item:
    return result_item(
        ToolResult(call_id=call.call_id, tool=call.tool, name=call.name, arguments=call.arguments, error=sentence)
    )


def _refusal(call: Item, sentence: str) -> Item:
    return {"type": f"{call['type']}_output", "call_id": call["call_id"], "output": sentence, "status": "completed"}


def _unknown(call: Item, toolset: Toolset) -> str:
    names = ", ".join(toolset.names()) or "none"
    return f"There is no tool named {call['name']!r}. The tools are: {names}."


def _malformed(call: Item) -> str | None:
    """Say what is wrong with a function's arguments; a custom tool's input may be any text."""
    if call["type"] != "function_call":
        return None
    try:
        arguments = orjson.loads(call["arguments"])
    except orjson.JSONDecodeError as error:
        return f"The arguments are not valid JSON: {error}. Call the tool again."
    return None if isinstance(arguments, dict) else "The arguments must be a JSON object. Call the tool again."


def _server_call(call: Item, type_: str) -> ServerCall:
    spec = {"type": type_}
    return ServerCall(
        call_id=call["call_id"],
        tool=type_,
        name=call["name"],
        arguments=call["arguments"],
        effect=TOOLS[type_].effect(spec),
        queue=TOOLS[type_].queue,
        timeout=TOOLS[type_].timeout(spec),
    )


def _over(running: int, budget: int | None) -> str | None:
    if budget is None or running < budget:
        return None
    return "This call was not run, because the limit on tool calls is reached. Answer without more of them."
