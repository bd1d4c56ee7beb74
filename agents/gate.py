"""The gate through which a model's calls enter the log: by their owners' names, with ids that are unique, or not yet."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from agents import approvals
from agents.models.base import Finished, ModelEvent, ToolCallDelta, ToolCallDone, ToolCallStarted
from agents.output import NewId
from agents.plan import ApprovalPolicy
from agents.toolset import Offered, Toolset
from shared.items import Item, Json


@dataclass(slots=True)
class Held:
    """A call that clients are not shown before it is decided what becomes of it."""

    call_id: str
    tool: Offered
    spec: Json
    whole: bool = False
    """Whether the model said all of it."""
    _said: list[str] = field(default_factory=list)

    def add(self, arguments: str) -> None:
        """Take more of the arguments; what comes after the end is ignored."""
        if not self.whole:
            self._said.append(arguments)

    @property
    def arguments(self) -> str:
        """The arguments so far; a function that was called with nothing is called with `{}`."""
        return "".join(self._said) or "{}"


class Gate:
    """Lets the calls of one model call into the log, and holds back those that may need approval, and an MCP server's."""

    def __init__(
        self, toolset: Toolset, history: Iterable[Item], *, approval: ApprovalPolicy, parallel: bool, new_id: NewId
    ) -> None:
        """Without `parallel`, only the first call gets in."""
        self._toolset = toolset
        self._taken = {item["call_id"] for item in history if "call_id" in item}
        self._approval = approval
        self._parallel = parallel
        self._new_id = new_id
        self._count = 0
        self._held: list[Held] = []
        self._open: dict[str, Held] = {}

    @property
    def held(self) -> list[Held]:
        """The whole calls that were held back, in the order of their beginnings."""
        return [call for call in self._held if call.whole]

    def admit(self, event: ModelEvent) -> ModelEvent | None:
        """Return the event as the log gets it, or None if it stays out."""
        if isinstance(event, ToolCallStarted):
            return self._start(event)
        if self._open:
            return self._hold(event)
        return event

    def _start(self, event: ToolCallStarted) -> ToolCallStarted | None:
        self._open.pop(event.key, None)
        if self._count and not self._parallel:
            return None
        self._count += 1
        tool = self._toolset.named(event.name)
        if tool is not None:
            kind = event.kind if tool.server is None else "function"
            event = replace(event, name=tool.name, namespace=tool.namespace, kind=kind)
        # Some servers number a turn's calls from 0 again, or give them no id; pairing by id would mix them up.
        if not event.call_id or event.call_id in self._taken:
            event = replace(event, call_id=self._new_id("call"))
        self._taken.add(event.call_id)
        if tool is None or tool.server is None or not (tool.label or approvals.may_need(tool, self._approval)):
            return event
        held = self._open[event.key] = Held(event.call_id, tool, tool.server)
        self._held.append(held)
        return None

    def _hold(self, event: ModelEvent) -> ModelEvent | None:
        """Keep what belongs to a call that is held back."""
        if isinstance(event, Finished) and event.reason == "stop":
            for held in self._open.values():
                held.whole = True
        if not isinstance(event, ToolCallDelta | ToolCallDone) or event.key not in self._open:
            return event
        if isinstance(event, ToolCallDelta):
            self._open[event.key].add(event.arguments)
        else:
            self._open[event.key].whole = True
        return None
