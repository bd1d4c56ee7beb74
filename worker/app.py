"""The worker's Celery app, for `python -m worker` and `celery -A worker.app worker`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from celery import Celery

from shared import queue
from shared.settings import SettingError, Settings


class _Idle:
    def drain(self) -> None: ...


@asynccontextmanager
async def lifespan(_app: Celery) -> AsyncIterator[_Idle]:
    """Hold what the tasks share."""
    yield _Idle()


async def advance(response_id: str) -> None:
    """Move a response forward by one step."""


def build(settings: Settings) -> Celery:
    """Make the app with its tasks and its lifespan."""
    app = queue.make_app(settings)
    app.rondo_lifespan = lifespan
    app.task(name=queue.ADVANCE)(advance)
    return app


try:
    app = build(Settings.from_env())
except SettingError as error:
    raise SystemExit(f"rondo: {error}") from None
