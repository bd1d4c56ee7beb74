"""One step of one response: claim, take the turn, commit. If the process dies on any line, rescue repeats the step."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from agents.models.base import Sampling
from agents.models.providers import UnknownModel
from agents.step import take
from agents.turn import StepFailed, ToolResult, Turn
from shared import bus, db, fold, frames, pages, snapshot
from shared.frames import EventLog
from shared.items import Item, Json
from shared.status import Phase, Status
from worker import outcome, store
from worker.runtime import Runtime
from worker.store import Commit, Run

log = structlog.get_logger(__name__)


async def advance(runtime: Runtime, response_id: str) -> None:
    """Move a response one step forward, if it is ours to move."""
    if runtime.draining:
        return
    settings = runtime.settings
    async with db.connection(runtime.pool) as session:
        run = await store.claim(
            session, response_id, worker=runtime.worker_id, lease=settings.lease, slots=settings.project_slots
        )
    if run is None:
        return
    events = EventLog(run.id, run.epoch, _first_number(run), wake=runtime.flusher.wake)
    with (
        structlog.contextvars.bound_contextvars(response_id=run.id),
        runtime.holding(runtime.responses, run.id, epoch=run.epoch, events=events),
    ):
        try:
            await _move(runtime, run, events)
        except asyncio.CancelledError:
            await _hand_back(runtime, run, events)
            raise
        except store.Fenced:
            log.info("step_fenced", epoch=run.epoch)


def _first_number(run: Run) -> int:
    """Continue the numbering; leave a gap where a dead attempt may have said more than it wrote."""
    interrupted = run.last_seq > run.committed_seq or run.claims > 1
    return max(run.last_seq, run.committed_seq) + 1 + (frames.TAKEOVER_GAP if interrupted else 0)


async def _move(runtime: Runtime, run: Run, events: EventLog) -> None:
    """Take the step and write what came of it."""
    run = await _take_over(runtime, run, events)
    if run.claims > runtime.settings.max_claims:
        message = f"The response was given up after {run.claims - 1} workers died on the same step."
        step = outcome.failed(run, run.next_output_index, {"code": "worker_lost", "message": message})
        await _commit(runtime, run, events, replace(step, dead_letter=True))
        return
    if run.seconds_left <= 0:
        await _commit(runtime, run, events, outcome.overdue(run, events))
        return
    try:
        async with asyncio.timeout(run.seconds_left):
            step = await _step(runtime, run, events)
    except TimeoutError:
        step = outcome.overdue(run, events)
    await _commit(runtime, run, events, step)


async def _take_over(runtime: Runtime, run: Run, events: EventLog) -> Run:
    """Close what a dead attempt left open in the log, and continue behind the output indexes it used."""
    if run.last_seq > run.committed_seq:
        async with db.connection(runtime.pool) as session:
            mail = await pages.read(session, run.id, after=run.committed_seq, limit=1_000_000)
            left = fold.fold(event for page in (mail.pages if mail else []) for event in frames.decode(page.frames))
            run = replace(run, next_output_index=max(run.next_output_index, left.next_index))
            await store.leave_behind(session, run)
        fold.close(left, events.emit)
    elif run.last_seq == run.committed_seq and run.steps == 0 and run.failures == 0:
        # A short answer overtakes it and saves a write of its own; a long wait for the model does not hold it back.
        events.note("response.in_progress", response=_object(run, Status.IN_PROGRESS, []))
        asyncio.get_running_loop().call_later(runtime.settings.flush_every, events.nudge)
    return run


async def _step(runtime: Runtime, run: Run, events: EventLog) -> Commit:
    """Let the model take its turn; a provider's failure is a result like any other."""
    try:
        model, name = runtime.providers.resolve(run.model)
        taken = await take(_turn(runtime, run, name), model, events.emit)
    except UnknownModel as error:
        return outcome.failed(run, run.next_output_index, {"code": "model_not_found", "message": str(error)})
    except StepFailed as failed:
        return outcome.of_failure(run, failed)
    return outcome.of_turn(run, taken)


def _turn(runtime: Runtime, run: Run, model: str) -> Turn:
    """Gather what the step may know."""
    request = run.request
    return Turn(
        response_id=run.id,
        model=model,
        history=[*run.context, *run.output],
        body=run.body,
        passthrough=request["passthrough"],
        sampling=Sampling(**request["sampling"]),
        iteration=run.iterations,
        max_iterations=request["max_iterations"],
        tool_calls=len(run.calls),
        next_output_index=run.next_output_index,
        results=[_result(call) for call in run.calls if not call["told"]],
        timeouts=runtime.timeouts,
    )


def _result(call: Json) -> ToolResult:
    return ToolResult(**{name: call[name] for name in ("call_id", "tool", "name", "arguments", "result", "error")})


async def _commit(runtime: Runtime, run: Run, events: EventLog, step: Commit) -> None:
    """Write the step, tell the readers, and send the hint for what comes next. Raises Fenced."""
    done = step.phase is Phase.DONE
    if done:
        step = replace(step, finished_at=datetime.now(UTC))
        events.emit(f"response.{step.status}", response=_object(run, step.status, [*run.output, *step.items], step))
    await runtime.flusher.settle(events)
    runtime.let_go(runtime.responses, run.id, epoch=run.epoch)
    step = replace(step, page=events.whole())
    calls = await db.insist(lambda: _write(runtime, run, step), what="commit")
    if tail := events.take():
        message = bus.pack(tail, bus.END if done else bus.QUIET)
        await bus.publish(runtime.redis, [(bus.channel(run.id), message)])
    if step.phase is Phase.READY:
        runtime.hints.advance(run.id)
    for call_id in calls:
        runtime.hints.run_tool(call_id)


async def _write(runtime: Runtime, run: Run, step: Commit) -> list[str]:
    """Commit; the fence, or the journal, decides what a commit did whose answer was lost. Raises Fenced."""
    async with db.connection(runtime.pool) as session:
        try:
            return await store.commit(session, run, step, worker=runtime.worker_id)
        except store.Fenced:
            if await store.committed(session, run):
                return []
            raise


async def _hand_back(runtime: Runtime, run: Run, events: EventLog) -> None:
    """Give the response to another worker; does nothing if it was cancelled or taken."""
    await runtime.flusher.settle(events)
    async with db.connection(runtime.pool) as session:
        handed = await store.hand_back(session, run)
    if handed:
        log.info("handed_back", epoch=run.epoch)
        runtime.hints.advance(run.id)


def _object(run: Run, status: Status, output: list[Item], step: Commit | None = None) -> Json:
    """Render the response as it will be once the step is committed."""
    return snapshot.render(
        {
            "id": run.id,
            "created_at": run.created_at,
            "finished_at": step.finished_at if step else None,
            "status": status.value,
            "error": step.error if step else None,
            "incomplete_details": step.incomplete_details if step else None,
            "body": step.body or run.body if step else run.body,
            "usage": step.usage or run.usage if step else run.usage,
        },
        output,
    )
