"""The calls a model makes: which of them workers run, which are the client's, and what the log says of their results."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from agents.output import NewId
from agents.tools import registry
from agents.toolset import Offered, Toolset
from agents.turn import ServerCall, ToolResult
from shared.frames import Emit
from shared.items import CALLS, Item, Json

CUT_OFF: Final = "The model's turn was cut off, so this call was not run."


@dataclass(slots=True)
class Allowance:
    """How many server calls may still run: `left` of all of them, None for any number, after `uses` by name."""

    left: int | None = None
    uses: dict[str, int] = field(default_factory=dict)

    def refuse(self, tool: Offered) -> str | None:
        """Count a call in, or say why it may not run."""
        most = (tool.server or {}).get("max_uses") or None
        used = self.uses.get(tool.name, 0)
        if most is not None and used >= most:
            return f"This call was not run, because {tool.offered} may be used {most} times at most. Answer without it."
        if self.left is not None and self.left <= 0:
            return "This call was not run, because the limit on tool calls is reached. Answer without more of them."
        self.uses[tool.name] = used + 1
        self.left = None if self.left is None else self.left - 1
        return None


@dataclass(slots=True)
class Sorted:
    """The calls of one model call, each in one place."""

    server: list[ServerCall] = field(default_factory=list)
    client: list[Item] = field(default_factory=list)
    """Calls that the client answers, and requests for approval."""
    refused: list[Item] = field(default_factory=list)
    """Items that tell the model why a call was not run."""


def sort(items: Sequence[Item], toolset: Toolset, *, allowance: Allowance, cut_off: bool) -> Sorted:
    """Sort the complete calls among `items`. In a turn that was `cut_off`, no server call is run."""
    made = Sorted()
    for call in items:
        if call["type"] not in CALLS or call["status"] == "incomplete":
            continue
        tool = toolset.owned(call)
        fault = _unknown(call, toolset) if tool is None else _malformed(call)
        if fault is not None:
            made.refused.append(refusal(call, fault))
        elif tool is None or tool.server is None:
            made.client.append(call)
        else:
            server = server_call(tool, tool.server, call_id=call["call_id"], arguments=call["arguments"])
            sentence = CUT_OFF if cut_off else allowance.refuse(tool)
            if sentence is None:
                made.server.append(server)
            else:
                made.refused.append(result_item(failure(server, sentence)))
    return made


def server_call(tool: Offered, spec: Json, *, call_id: str, arguments: str) -> ServerCall:
    """Make the call of a server tool that a worker runs."""
    runs = registry.lookup(spec["type"])
    longest = runs.timeout(spec)
    return ServerCall(
        call_id=call_id,
        tool=spec["type"],
        name=tool.name,
        arguments=arguments,
        label=tool.label,
        effect=runs.effect(spec),
        queue=runs.queue,
        timeout=min(longest, spec.get("timeout") or longest),
    )


def failure(call: ServerCall, sentence: str) -> ToolResult:
    """Say that a call gave nothing, and why."""
    return ToolResult(
        call_id=call.call_id,
        tool=call.tool,
        name=call.name,
        arguments=call.arguments,
        error=sentence,
        label=call.label,
        output_index=call.output_index,
    )


def tell(result: ToolResult, emit: Emit, *, output_index: int, item: Item | None, new_id: NewId) -> Item:
    """Put a finished call's result on record, and return the item that shows it.

    An MCP call's `item` stands in progress at `output_index`, and is completed there. Every other result is an item of its own,
    which begins and ends there; `item` is None.
    """
    if item is not None:
        told = item | _ended(result)
        outcome = "completed" if result.error is None else "failed"
        emit(f"response.mcp_call.{outcome}", output_index=output_index, item_id=told["id"])
    else:
        told = {"id": new_id("mcp" if result.tool == "mcp" else "orq"), **result_item(result)}
        emit("response.output_item.added", output_index=output_index, item=told)
    emit("response.output_item.done", output_index=output_index, item=told)
    return told


def result_item(result: ToolResult) -> Item:
    """Make the item that shows what a server tool gave."""
    call = {"call_id": result.call_id, "name": result.name, "arguments": result.arguments}
    if result.tool == "mcp":
        return {"type": "mcp_call", "server_label": result.label, **call, **_ended(result)}
    told = {"result": result.result} if result.error is None else {"error": result.error}
    return {"type": result.tool, **call, "status": "completed", **told}


def refusal(call: Item, sentence: str) -> Item:
    """Answer a call that nobody runs."""
    return {"type": f"{call['type']}_output", "call_id": call["call_id"], "output": sentence, "status": "completed"}


def malformed(arguments: str) -> str | None:
    """Say what is wrong with a function's arguments."""
    try:
        read = orjson.loads(arguments)
    except orjson.JSONDecodeError as error:
        return f"The arguments are not valid JSON: {error}. Call the tool again."
    return None if isinstance(read, dict) else "The arguments must be a JSON object. Call the tool again."


def _ended(result: ToolResult) -> Json:
    """Say how an MCP call ended, as its item does."""
    if result.error is not None:
        told = [{"type": "text", "text": result.error}]
        return {"status": "failed", "error": {"type": "mcp_tool_execution_error", "content": told}}
    return {"status": "completed", "output": text(result.result)}


def text(value: Any) -> str:
    """Say a tool's result as a model reads it."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _unknown(call: Item, toolset: Toolset) -> str:
    names = ", ".join(toolset.names()) or "none"
    return f"There is no tool named {call['name']!r}. The tools are: {names}."


def _malformed(call: Item) -> str | None:
    """Check a function's arguments; a custom tool's input may be any text."""
    return malformed(call["arguments"]) if call["type"] == "function_call" else None
