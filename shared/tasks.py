"""Ending background tasks for certain."""

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN = 0.1
"""Seconds after which a task that has not ended is cancelled once more."""


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks until every one of them has ended; how they ended is not told.

    Once is not enough: on Python 3.11 `asyncio.wait_for`, with which the Redis client sends, swallows a cancellation that
    arrives in the moment in which it is done.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)
