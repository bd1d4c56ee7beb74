"""Writing saved tools: each function is one change, to be called in a transaction that it does not end."""

from typing import ClassVar

from api.create import check
from api.definitions import changing
from api.definitions import store as definitions
from api.definitions.changing import Change
from api.definitions.sealing import Seals
from api.definitions.store import TOOLS, Definition
from api.definitions.writing import Written
from api.desk import Desk
from api.saved_tools import definition
from shared.db import Session
from shared.errors import Conflict

_USERS = """
SELECT DISTINCT a.key FROM agents a JOIN agent_versions v ON v.agent_id = a.id
 WHERE a.project_id = %(project)s
   AND (v.version = a.version
        OR v.version IN (SELECT e.version FROM agent_environments e WHERE e.agent_id = a.id))
   AND EXISTS (SELECT 1 FROM jsonb_array_elements(v.manifest->'settings'->'tools') t
                WHERE t->>'tool_id' = %(id)s
                   OR (NOT t ? 'tool_id' AND NOT t ? 'server_url' AND split_part(t->>'key', '@', 1) = %(key)s))
 ORDER BY a.key LIMIT 20
"""


class ToolInUse(Conflict):
    """The tool is used by agents."""

    code: ClassVar[str | None] = "tool_in_use"


async def create(session: Session, desk: Desk, project_id: str, written: Written) -> Definition:
    """Store a new tool. Raises InvalidRequest, and KeyTaken."""
    key, kind = changing.key_of(written.members, None, definition.key), definition.type_of(written.members, None)
    seals = Seals()
    content = definition.normalise(written.members, kind=kind, old=None, seals=seals)
    made = Change(content, written, seals)
    await changing.create(session, desk.vault, TOOLS, project_id, made, key=key, columns={"type": kind})
    return await changing.require(session, TOOLS, project_id, key)


async def change(session: Session, desk: Desk, held: Definition, written: Written) -> Definition:
    """Store what a body changes in a tool that is held."""
    changing.key_of(written.members, held, definition.key)
    kind, seals = definition.type_of(written.members, held.extra["type"]), Seals(definition.secrets_of(held.content))
    content = definition.normalise(written.members, kind=kind, old=held.content, seals=seals)
    await changing.revise(session, desk.vault, TOOLS, held, Change(content, written, seals))
    return await changing.require(session, TOOLS, held.project_id, held.id)


async def delete(session: Session, held: Definition, *, force: bool) -> None:
    """Delete a tool that is held. Raises ToolInUse, naming the agents that use it now, unless it is forced."""
    if not force and (users := await _users(session, held)):
        raise ToolInUse(f"The tool '{held.key}' is used by {check.listed(users)}. Add '?force=true' to delete it nevertheless.")
    await definitions.delete(session, TOOLS, held.id)


async def _users(session: Session, held: Definition) -> list[str]:
    """Name agents whose newest version, or one in an environment, uses a tool."""
    cursor = await session.execute(_USERS, {"project": held.project_id, "id": held.id, "key": held.key})
    return [row[0] for row in await cursor.fetchall()]
