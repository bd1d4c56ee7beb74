"""Keeping leases, on the same event loop as the work: a blocked loop loses them, which is the point."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING

import structlog
from redis.exceptions import RedisError

from shared import bus, db

if TYPE_CHECKING:
    from worker.runtime import Lease, Runtime

log = structlog.get_logger(__name__)

_RENEW_RESPONSES = """
UPDATE responses r SET lease_until = now() + %s * interval '1 second'
  FROM unnest(%s::text[], %s::bigint[]) AS held(id, epoch)
 WHERE r.id = held.id AND r.epoch = held.epoch AND r.phase = 'running'
RETURNING r.id
"""
_RENEW_CALLS = """
UPDATE tool_calls t SET lease_until = now() + %s * interval '1 second'
  FROM unnest(%s::text[], %s::bigint[]) AS held(id, epoch)
 WHERE t.id = held.id AND t.epoch = held.epoch AND t.status = 'running'
RETURNING t.id
"""
_ALIVE = """
INSERT INTO workers (id, host, pid, running, draining) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET heartbeat_at = now(), running = excluded.running, draining = excluded.draining
"""


async def beat(runtime: Runtime) -> None:
    """Renew every lease of this process, and stop what has lost its own, until cancelled."""
    while True:
        try:
            await _renew(runtime)
        except db.DatabaseUnavailable:
            log.warning("heartbeat_missed")
        _keep_readers_awake(runtime)
        await asyncio.sleep(runtime.settings.heartbeat)


async def _renew(runtime: Runtime) -> None:
    """Renew in one transaction; cancel the coroutines whose lease is gone."""
    responses, calls = dict(runtime.responses), dict(runtime.calls)
    lease = runtime.settings.lease
    async with db.transaction(runtime.pool) as session:
        await session.execute(
            _ALIVE, (runtime.worker_id, socket.gethostname(), os.getpid(), len(responses) + len(calls), runtime.draining)
        )
        kept = await session.execute(_RENEW_RESPONSES, (lease, list(responses), [it.epoch for it in responses.values()]))
        kept_calls = await session.execute(_RENEW_CALLS, (lease, list(calls), [it.epoch for it in calls.values()]))
        held = {row[0] for row in [*await kept.fetchall(), *await kept_calls.fetchall()]}
    _stop_lost(runtime.responses, responses, held)
    _stop_lost(runtime.calls, calls, held)


def _stop_lost(now: dict[str, Lease], then: dict[str, Lease], held: set[str]) -> None:
    """Cancel what was running before the renewal, still is, and was not renewed."""
    for key, lease in then.items():
        if key not in held and now.get(key) is lease:
            log.info("lease_lost", id=key, epoch=lease.epoch)
            lease.task.cancel()


def _keep_readers_awake(runtime: Runtime) -> None:
    """Say `keepalive` in logs that have been silent: some clients give up on a stream that only sends comments."""
    now = time.monotonic()
    for lease in runtime.responses.values():
        if lease.events is None:
            continue
        if lease.events.last != lease.seen:
            lease.seen, lease.quiet_since = lease.events.last, now
        elif now - lease.quiet_since >= runtime.settings.keepalive_event:
            lease.events.emit("keepalive")


async def listen(runtime: Runtime) -> None:
    """Stop cancelled responses at once, until cancelled; the heartbeat is the fallback while Redis is away."""
    while True:
        try:
            async with runtime.redis.pubsub() as pubsub:
                await pubsub.subscribe(bus.CONTROL)
                async for message in pubsub.listen():
                    if message["type"] == "message":
                        _obey(runtime, message["data"].decode())
        except (RedisError, OSError):
            await asyncio.sleep(1)


def _obey(runtime: Runtime, order: str) -> None:
    """Carry out one control message."""
    verb, _, response_id = order.partition(" ")
    if verb == "cancel" and (lease := runtime.responses.get(response_id)):
        lease.task.cancel()
    if verb in {"cancel", "stop_calls"}:
        for lease in [held for held in runtime.calls.values() if held.response_id == response_id]:
            lease.task.cancel()


async def leave(runtime: Runtime) -> None:
    """Take this process off the list of workers."""
    try:
        async with db.connection(runtime.pool) as session:
            await session.execute("DELETE FROM workers WHERE id = %s", (runtime.worker_id,))
    except db.DatabaseUnavailable:
        log.info("left_without_goodbye")
