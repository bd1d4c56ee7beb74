"""A Celery app whose one task does what its id says, and writes down what happens; the worker tests run it for real."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from celery import Celery

from shared import queue
from shared.settings import Settings

NOTES = Path(os.environ["PROBE_NOTES"])


def note(event: str, what: str = "-") -> None:
    """Append one line, whole, whichever thread writes it."""
    with NOTES.open("ab", buffering=0) as notes:
        notes.write(f"{event} {what} {time.time()}\n".encode())


class Runtime:
    """Notes when it is told to drain."""

    def drain(self) -> None:
        note("drain")


@asynccontextmanager
async def lifespan(_app: Celery) -> AsyncIterator[Runtime]:
    """Note the beginning and the end, or fail to begin."""
    if os.environ.get("PROBE_BROKEN"):
        raise ConnectionError("the database is nowhere to be found.")
    note("open")
    yield Runtime()
    note("closed")


async def advance(what: str) -> None:
    """Do `<verb>:<seconds>:<anything>`."""
    note("start", what)
    verb, seconds, *_ = what.split(":")
    try:
        await _do(verb, float(seconds))
    except asyncio.CancelledError:
        note("cancelled", what)
        raise
    note("end", what)


async def _do(verb: str, seconds: float) -> None:
    match verb:
        case "sleep":
            await asyncio.sleep(seconds)
        case "fail":
            raise RuntimeError("as asked")
        case "die":
            raise SystemExit(3)
        case _:
            raise AssertionError(verb)


app = queue.make_app(Settings.from_env())
app.rondo_lifespan = lifespan
app.task(name=queue.ADVANCE)(advance)
