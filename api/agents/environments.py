"""An agent's environments: names, such as `production`, that point to versions."""

import re
from typing import Any, Final

from psycopg.rows import dict_row

from api.create import check
from api.definitions import semver
from shared import catalog
from shared.db import Session
from shared.errors import InvalidRequest, NotFound
from shared.items import Json

MOST: Final = 64
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class EnvironmentNotFound(NotFound):
    """The environment was not found."""

    code = "environment_not_found"


def name(value: str) -> str:
    """Check an environment's name. Raises InvalidRequest."""
    if value == catalog.LATEST:
        raise InvalidRequest("'latest' always means the newest version.", param="name", code="invalid_value")
    return check.string(value, "name", pattern=_NAME)


def version(body: Json) -> str:
    """Read the version that an environment is to point to."""
    if body.get("version") is None:
        raise check.missing("version")
    return check.string(body["version"], "version", most=64, pattern=semver.VERSION)


async def listed(session: Session, agent_id: str) -> list[Json]:
    """List an agent's environments by name."""
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT name, version, updated_at FROM agent_environments WHERE agent_id = %s ORDER BY name", (agent_id,)
        )
        return [_shown(row) for row in await cursor.fetchall()]


async def point(session: Session, agent_id: str, environment: str, to: str) -> Json:
    """Point an environment to a version that exists."""
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """INSERT INTO agent_environments (agent_id, name, version) VALUES (%s, %s, %s)
                   ON CONFLICT (agent_id, name) DO UPDATE SET version = excluded.version, updated_at = now()
               RETURNING name, version, updated_at""",
            (agent_id, environment, to),
        )
        row = await cursor.fetchone()
    if row is None:
        raise EnvironmentNotFound
    return _shown(row)


async def require_room(session: Session, agent_id: str, environment: str) -> None:
    """Refuse one environment too many. Raises InvalidRequest."""
    names = {each["name"] for each in await listed(session, agent_id)} | {environment}
    if len(names) > MOST:
        raise InvalidRequest(f"An agent has at most {MOST} environments.", param="name", code="invalid_value")


async def remove(session: Session, agent_id: str, environment: str) -> None:
    """Forget an environment. Raises EnvironmentNotFound."""
    cursor = await session.execute(
        "DELETE FROM agent_environments WHERE agent_id = %s AND name = %s RETURNING 1", (agent_id, catalog.plain(environment))
    )
    if await cursor.fetchone() is None:
        names = [each["name"] for each in await listed(session, agent_id)]
        there = f"Its environments are {check.listed(names)}" if names else "It has no environments"
        raise EnvironmentNotFound(f"The agent has no environment '{check.shown(environment)}'. {there}.", param="name")


def _shown(row: dict[str, Any]) -> Json:
    return {
        "id": row["name"],
        "object": "agent.environment",
        "name": row["name"],
        "version": row["version"],
        "updated_at": int(row["updated_at"].timestamp()),
    }
