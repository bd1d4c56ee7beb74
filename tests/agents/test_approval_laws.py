"""Whatever is called, approved and denied, in whatever order: what is approved runs once, what is denied never."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents import approvals, calls
from agents.models.base import ModelRequest
from agents.models.scripted import STOP, Cue, Scripted, call, says
from agents.turn import AwaitClient, Finish, Outcome, RunTools, ServerCall, ToolResult
from shared.items import CALL_OUTPUTS, CALLS, Item, Json
from tests.agents.recording import Recording
from tests.agents.stepping import ASKING, FIXED, USER, fixed_tools, listing, server, take, turn

F: Json = {"type": "function", "name": "f", "parameters": {}}
TOOLS = [F, FIXED, ASKING, server("free"), server("strict", "always")]
LISTED = [listing("free_tool", label="free"), listing("strict_tool", label="strict"), USER]
ASK = {"asking", "strict_tool"}
NAMES = ["f", "fixed", "asking", "free_tool", "strict_tool", "unknown"]
DECISIONS = [True, False, None]


@dataclass
class World:
    """A client and a worker, and what they saw."""

    history: list[Item] = field(default_factory=lambda: list(LISTED))
    ran: Counter[str] = field(default_factory=Counter)
    made: dict[str, str] = field(default_factory=dict)
    """Names by arguments, which tell calls apart."""
    decided: dict[str, bool] = field(default_factory=dict)
    log: Recording = field(default_factory=Recording)

    def response(self, turns: list[list[str]], told: bool) -> None:
        """Take a response's steps to its end."""
        first = len(self.history)
        iteration, results, outcome = 0, list[ToolResult](), None
        while outcome is None or _goes_on(outcome):
            model = Scripted(self._cues(turns[iteration]) if iteration < len(turns) else says("Done."))
            more: Json = {"iteration": iteration, "next_output_index": len(self.history) - first, "results": results}
            outcome = take(turn(*TOOLS, history=self.history, **more), model, log=self._fresh())
            _are_paired(model.requests)
            if outcome.called_model and iteration < len(turns):
                self.made |= dict(self._keyed(turns[iteration]))
            iteration += outcome.called_model
            amended = {item["id"]: item for item in outcome.amended.values()}
            self.history = [amended.get(item.get("id", ""), item) for item in self.history] + outcome.items
            results = [self._run(one) for one in _to_run(outcome)]
            if told:
                self._tell(results, first)
                results = []

    def decide(self, decisions: list[bool | None]) -> None:
        """Answer requests, or not."""
        for request, approve in zip(approvals.pending(self.history), decisions, strict=False):
            if approve is not None:
                self.decided[request["arguments"]] = approve
                answer = {"approval_request_id": request["id"], "approve": approve}
                self.history.append({"type": "mcp_approval_response", **answer})

    def _fresh(self) -> Recording:
        """Begin a log whose ids go on."""
        log = Recording()
        log.ids = self.log.ids
        self.log = log
        return log

    def _cues(self, names: list[str]) -> list[Cue]:
        cues: list[Cue] = []
        for key, name in self._keyed(names):
            cues += call(name, key, call_id=f"c{key}")
        return [*cues, STOP]

    def _keyed(self, names: list[str]) -> list[tuple[str, str]]:
        """Give each call arguments of its own."""
        return [(f'{{"n":{number}}}', name) for number, name in enumerate(names, len(self.made))]

    def _run(self, one: ServerCall) -> ToolResult:
        self.ran[one.arguments] += 1
        error = "It failed." if len(self.ran) % 3 == 0 else None
        shared = {name: getattr(one, name) for name in ("call_id", "tool", "name", "arguments", "label", "output_index")}
        return ToolResult(**shared, error=error, result=None if error else 1)

    def _tell(self, results: list[ToolResult], first: int) -> None:
        """Put results on record as the worker that ran the call does."""
        log = self._fresh()
        for result in results:
            at = None if result.output_index is None else first + result.output_index
            item = None if at is None else self.history[at]
            index = result.output_index if result.output_index is not None else len(self.history) - first
            done = calls.tell(result, log.emit, output_index=index, item=item, new_id=log.new_id)
            if at is None:
                self.history.append(done)
            else:
                self.history[at] = done


def _goes_on(outcome: Outcome) -> bool:
    return not isinstance(outcome.verdict, AwaitClient | Finish)


def _to_run(outcome: Outcome) -> tuple[ServerCall, ...]:
    return outcome.verdict.calls if isinstance(outcome.verdict, RunTools) else ()


def _are_paired(requests: list[ModelRequest]) -> None:
    """Every call that a model is shown has its one output, and every output its call."""
    for request in requests:
        made = [item["call_id"] for item in request.items if item.get("type") in CALLS]
        answered = [item["call_id"] for item in request.items if item.get("type") in CALL_OUTPUTS]
        assert sorted(made) == sorted(answered)
        assert len(set(made)) == len(made)
        assert not [item for item in request.items if str(item.get("type")).startswith(("mcp", "orq:"))]


turns = st.lists(st.lists(st.sampled_from(NAMES), max_size=4), max_size=3)
decisions = st.lists(st.sampled_from(DECISIONS), max_size=8)
scripts = st.lists(st.tuples(turns, decisions, st.booleans()), min_size=1, max_size=4)


@settings(deadline=None, max_examples=60)
@given(scripts)
def test_what_is_approved_runs_once_and_what_is_denied_never(script: list[tuple[Any, Any, bool]]) -> None:
    world = World()
    with fixed_tools():
        for model_turns, answers, told in script:
            world.response(model_turns, told)
            world.decide(answers)
            world.history.append(USER)
        world.response([], told=True)
    for key, name in world.made.items():
        may_run = name in {"fixed", "free_tool"} or (name in ASK and world.decided.get(key) is True)
        assert world.ran[key] == int(may_run)
    assert approvals.decided(world.history) == []
