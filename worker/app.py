"""The worker's Celery app, for `python -m worker` and `celery -A worker.app worker`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import environ

from celery import Celery

from shared import logs, metrics, queue, telemetry
from shared.settings import SettingError, Settings
from worker import advance as response_step
from worker import tool_calls
from worker.runtime import Runtime, open_runtime


@asynccontextmanager
async def lifespan(celery: Celery) -> AsyncIterator[Runtime]:
    """Hold what the tasks share, on their event loop."""
    settings: Settings = celery.rondo_settings
    hints = queue.Hints(celery)
    try:
        async with (
            telemetry.exporting("rondo-worker", environ, content=settings.trace_content),
            metrics.serving(host=settings.metrics_host, port=settings.metrics_port),
            open_runtime(settings, hints) as runtime,
        ):
            metrics.running("responses", lambda: len(runtime.responses))
            metrics.running("tool_calls", lambda: len(runtime.calls))
            yield runtime
    finally:
        await asyncio.to_thread(hints.close)


async def advance(response_id: str) -> None:
    """Move a response forward by one step."""
    await response_step.advance(app.rondo_runtime, response_id)


async def run_tool(call_id: str) -> None:
    """Run one tool call."""
    await tool_calls.run_tool(app.rondo_runtime, call_id)


def build(settings: Settings) -> Celery:
    """Make the app with its tasks and its lifespan."""
    celery = queue.make_app(settings)
    celery.rondo_lifespan = lifespan
    celery.task(name=queue.ADVANCE)(advance)
    celery.task(name=queue.RUN_TOOL)(run_tool)
    return celery


try:
    _settings = Settings.from_env()
    logs.configure(_settings)
    app = build(_settings)
except SettingError as error:
    raise SystemExit(f"rondo: {error}") from None
