"""`/healthz` and `/readyz`: alive, and able to take work."""

from fastapi import APIRouter, Request, Response
from redis.exceptions import RedisError

from api.desk import Desk
from api.replies import json_reply
from shared import db, migrations
from shared.db import Session

router = APIRouter()


@router.get("/healthz")
async def alive() -> Response:
    """Answer: the process serves."""
    return json_reply({"status": "ok"})


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """Tell whether responses can be accepted and moved forward, and what is missing."""
    desk: Desk = request.state.desk
    missing = await _missing_in_database(desk) + await _missing_in_redis(desk)
    body = {"status": "unready" if missing else "ready", "missing": missing}
    return json_reply(body, status=503 if missing else 200)


async def _missing_in_database(desk: Desk) -> list[str]:
    try:
        async with db.connection(desk.pool) as session:
            return await _migrations(session) or await _workers(session)
    except db.DatabaseUnavailable:
        return ["database: it cannot be reached"]


async def _migrations(session: Session) -> list[str]:
    cursor = await session.execute("SELECT to_regclass('alembic_version')")
    row = await cursor.fetchone()
    current = None
    if row and row[0]:
        cursor = await session.execute("SELECT version_num FROM alembic_version")
        current = await cursor.fetchone()
    if current and current[0] == migrations.HEAD:
        return []
    return [f"migrations: the database is at {current[0] if current else 'none'}, this code needs {migrations.HEAD}"]


async def _workers(session: Session) -> list[str]:
    cursor = await session.execute(
        "SELECT 1 FROM workers WHERE NOT draining AND heartbeat_at > now() - interval '15 seconds' LIMIT 1"
    )
    return [] if await cursor.fetchone() else ["worker: none has a heartbeat of the last 15 seconds"]


async def _missing_in_redis(desk: Desk) -> list[str]:
    try:
        await desk.redis.ping()
    except (RedisError, OSError):
        return ["redis: it cannot be reached"]
    return []
