"""What becomes of calls that were held back: they run, a person is asked about them, or the model is told why not."""

from dataclasses import dataclass, replace
from typing import Final

import orjson

from agents import approvals, calls, toolset
from agents.approvals import Decision
from agents.calls import Allowance, Sorted
from agents.gate import Held
from agents.output import NewId, Output
from agents.plan import ApprovalPolicy
from agents.toolset import Offered
from agents.turn import ServerCall
from shared.frames import Emit
from shared.items import Item, Json

_LONGEST_REASON: Final = 2_000
"""Characters of a person's reason that a model is told."""
_GONE: Final = "This call was not run, because its tool is not there any more."


@dataclass(frozen=True, slots=True)
class Desk:
    """Where calls are decided, with what it takes to put them out."""

    output: Output
    emit: Emit
    new_id: NewId
    allowance: Allowance

    def settle(self, held: Held, made: Sorted, *, policy: ApprovalPolicy, cut_off: bool) -> None:
        """Decide what becomes of a call that the model made."""
        fault = calls.malformed(held.arguments) or (calls.CUT_OFF if cut_off else self.allowance.refuse(held.tool))
        if fault is None and _needs_approval(held, policy):
            made.client.append(self.output.put(_request(held)))
            return
        call = calls.server_call(held.tool, held.spec, call_id=held.call_id, arguments=held.arguments)
        call = self._put(call)
        if fault is None:
            made.server.append(call)
        else:
            made.refused.append(self._refuse(call, fault))

    def carry_out(self, decision: Decision, tools: list[Json]) -> ServerCall | None:
        """Put out the call that a decision is about; return it if it may run."""
        request = decision.request
        label = request["server_label"]
        asked = ServerCall(
            call_id=self.new_id("call"),
            tool=label if _names_a_type(label) else "mcp",
            name=request["name"],
            arguments=request["arguments"],
            label=None if _names_a_type(label) else label,
        )
        spec = toolset.spec_of(tools, asked)
        tool = Offered(offered=asked.name, name=asked.name, label=asked.label, server=spec)
        if spec is not None:
            asked = calls.server_call(tool, spec, call_id=asked.call_id, arguments=asked.arguments)
        call = self._put(asked, approval_request_id=request["id"])
        fault = _denied(decision) or (_GONE if spec is None else self.allowance.refuse(tool))
        if fault is None:
            return call
        self._refuse(call, fault)
        return None

    def _put(self, call: ServerCall, **more: str) -> ServerCall:
        """Put the call's item out; an MCP server's stays in progress."""
        named = {"call_id": call.call_id, "name": call.name, "arguments": call.arguments, **more}
        if call.tool != "mcp":
            self.output.put({"type": "function_call", **named, "status": "completed"})
            return call
        index, _ = self.output.put_mcp_call({"type": "mcp_call", "server_label": call.label, **named})
        return replace(call, output_index=index)

    def _refuse(self, call: ServerCall, sentence: str) -> Item:
        """Tell the model why a call that was put out was not run."""
        opened = call.output_index
        index = self.output.reserve() if opened is None else opened
        item = None if opened is None else self.output.at(opened)
        result = calls.failure(call, sentence)
        told = calls.tell(result, self.emit, output_index=index, item=item, new_id=self.new_id)
        return self.output.keep(index, told)


def _needs_approval(held: Held, policy: ApprovalPolicy) -> bool:
    arguments = orjson.loads(held.arguments)
    return approvals.needs(held.spec, arguments, policy, held.tool.name, listed=held.tool.listed)


def _request(held: Held) -> Item:
    """Ask a person. A tool that is no MCP server's is named by its type, in which no label is written."""
    return {
        "type": "mcp_approval_request",
        "server_label": held.tool.label or held.spec["type"],
        "name": held.tool.name,
        "arguments": held.arguments,
    }


def _names_a_type(label: str) -> bool:
    return label.startswith("orq:")


def _denied(decision: Decision) -> str | None:
    """Say that a call was denied, and why, if a reason was given."""
    if decision.approve:
        return None
    reason = (decision.reason or "").strip()[:_LONGEST_REASON]
    return f"The call was denied: {reason}" if reason else "The call was denied."
