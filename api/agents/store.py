"""Writing agents: each function is one change, to be called in a transaction that it does not end."""

from api.agents import manifest, tools
from api.definitions import changing
from api.definitions.changing import Change
from api.definitions.sealing import Seals
from api.definitions.store import AGENTS, Definition
from api.definitions.writing import Written
from api.desk import Desk
from shared import catalog
from shared.db import Session
from shared.errors import InvalidRequest
from shared.items import Json


async def create(session: Session, desk: Desk, project_id: str, written: Written) -> Definition:
    """Store a new agent. Raises InvalidRequest, and KeyTaken."""
    key, seals = changing.key_of(written.members, None, manifest.key), Seals()
    content = manifest.normalise(written.members, old=None, seals=seals, providers=desk.providers)
    content = await _settled(session, project_id, key, content, manifest.DEFAULTS)
    made = Change(content, written, seals)
    await changing.create(session, desk.vault, AGENTS, project_id, made, key=key, columns={})
    return await changing.require(session, AGENTS, project_id, key)


async def change(session: Session, desk: Desk, held: Definition, written: Written) -> Definition:
    """Store what a body changes in an agent that is held."""
    key, seals = changing.key_of(written.members, held, manifest.key), Seals(manifest.secrets_of(held.content))
    content = manifest.normalise(written.members, old=held.content, seals=seals, providers=desk.providers)
    content = await _settled(session, held.project_id, key, content, held.content)
    await changing.revise(session, desk.vault, AGENTS, held, Change(content, written, seals))
    return await changing.require(session, AGENTS, held.project_id, held.id)


async def _settled(session: Session, project_id: str, key: str, content: Json, old: Json) -> Json:
    """Look up the saved tools and the team: what a manifest newly refers to must exist."""
    await _require_team(session, project_id, key, content["team_of_agents"], old["team_of_agents"])
    settings = content["settings"]
    found = await tools.settle(session, project_id, settings["tools"], old["settings"]["tools"], "settings.tools")
    return {**content, "settings": {**settings, "tools": found}}


async def _require_team(session: Session, project_id: str, key: str, team: list[Json], known: list[Json]) -> None:
    """Refuse members that are no agents; an agent may be in its own team."""
    old = {key, *(member["key"] for member in known)}
    wanted = [member["key"] for member in team if member["key"] not in old]
    cursor = await session.execute("SELECT key FROM agents WHERE project_id = %s AND key = ANY(%s)", (project_id, wanted))
    there = {row[0] for row in await cursor.fetchall()}
    for index, member in enumerate(team):
        if member["key"] not in there | old:
            error = await catalog.agent_not_found(session, project_id, member["key"])
            raise InvalidRequest(error.message, param=f"team_of_agents[{index}].key", code="agent_not_found")
