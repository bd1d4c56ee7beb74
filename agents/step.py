"""One step of the loop: what happened is put on record, a model may be asked, and a verdict says what comes next."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol, cast

from agents import calls, prompt, toolset
from agents.calls import Gate
from agents.models.base import Finished, Model, ModelError, ModelEvent, ModelRequest
from agents.output import NewId, Output
from agents.toolset import Toolset
from agents.turn import AwaitClient, Continue, Finish, Outcome, RunTools, StepFailed, Turn, Verdict
from shared import ids
from shared.frames import Emit
from shared.items import CALLS, Item


class Clock(Protocol):
    """Tell seconds that only grow."""

    def __call__(self) -> float:
        """Return the time."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """How a model call went; `first_token` is in seconds."""

    finished: Finished
    first_token: float


async def take(turn: Turn, model: Model, emit: Emit, *, new_id: NewId = ids.new, clock: Clock = time.monotonic) -> Outcome:
    """Take one step. It keeps nothing, so that it can be taken again after a crash.

    Raises `StepFailed` if the model fails. However it ends, no item is left open in the log.
    """
    output = Output(emit, first_index=turn.next_output_index, new_id=new_id)
    for result in turn.results:
        output.put(calls.result_item(result))
    turn = replace(turn, history=turn.history + output.items)
    if turn.iteration and _awaits_client(turn.history):
        return Outcome(verdict=AwaitClient(), items=output.items)
    if turn.iteration >= turn.max_iterations:
        return Outcome(verdict=Finish("incomplete", "max_iterations"), items=output.items)
    offered = toolset.offer(turn.body, first=turn.iteration == 0)
    heard = await _ask(turn, offered, model, output, new_id=new_id, clock=clock)
    verdict = _decide(turn, offered, output, heard.finished)
    return Outcome(
        verdict=verdict,
        items=output.items,
        usage=heard.finished.usage,
        called_model=True,
        first_token=heard.first_token,
        service_tier=heard.finished.service_tier,
    )


def _awaits_client(history: list[Item]) -> bool:
    """Say whether the model made a call, since anybody else last spoke, that has no answer: workers have answered theirs."""
    answered = prompt.answered(history)
    for item in reversed(history):
        if item.get("role", "assistant") != "assistant":
            return False
        if item.get("type") in CALLS and item.get("status") != "incomplete" and item["call_id"] not in answered:
            return True
    return False


async def _ask(turn: Turn, offered: Toolset, model: Model, output: Output, *, new_id: NewId, clock: Clock) -> _Heard:
    """Ask the model; if the context is too long and may be cut, ask again with less of it."""
    request = prompt.build(turn, offered)
    while True:
        gate = Gate(offered, turn.history, parallel=request.parallel_tool_calls, new_id=new_id)
        try:
            return await _listen(request, model, output, gate, clock)
        except ModelError as error:
            shorter = None if output.spoken else _shorter(request, error, turn)
            if shorter is None:
                raise StepFailed(error, next_output_index=output.next_index) from error
            request = shorter


def _shorter(request: ModelRequest, error: ModelError, turn: Turn) -> ModelRequest | None:
    """Make the request with fewer items, if that is what may help and is allowed."""
    if error.code != "context_length_exceeded" or turn.body.get("truncation") != "auto":
        return None
    items = prompt.drop_oldest(request.items)
    return None if items is None else replace(request, items=items)


async def _listen(request: ModelRequest, model: Model, output: Output, gate: Gate, clock: Clock) -> _Heard:
    """Play the model's events into the output, to their end."""
    asked = clock()
    first: float | None = None
    finished: Finished | None = None
    try:
        async with aclosing(cast("AsyncGenerator[ModelEvent, None]", model.stream(request))) as events:
            async for event in events:
                if first is None:
                    first = clock() - asked
                if isinstance(event, Finished):
                    finished = event
                admitted = gate.admit(event)
                if admitted is not None:
                    output.hear(admitted)
    finally:
        output.end("incomplete")
    if finished is None or first is None:
        raise ModelError("provider_protocol", "The model's answer broke off.")
    return _Heard(finished, first)


def _decide(turn: Turn, offered: Toolset, output: Output, finished: Finished) -> Verdict:
    """Sort the model's calls, tell it about those that nobody will answer, and say what comes next."""
    limit = turn.body.get("max_tool_calls")
    budget = None if limit is None else limit - turn.tool_calls
    made = calls.sort(output.items, offered, budget=budget, cut_off=finished.reason != "stop")
    for item in made.refused:
        output.put(item)
    if finished.reason != "stop":
        return Finish("incomplete", finished.reason)
    if made.server:
        return RunTools(tuple(made.server))
    if made.client:
        return AwaitClient()
    return Continue() if made.refused else Finish()
