"""`/v1/agents` and `/v2/agents`: making, reading, changing and deleting agents, their versions and environments."""

from fastapi import APIRouter, Request, Response
from psycopg import sql

from api.agents import environments, manifest, store
from api.body import read_body
from api.create import query
from api.create.query import Pairs
from api.create.request import object_of
from api.definitions import changing, reading, writing
from api.definitions import store as definitions
from api.definitions.store import AGENTS, Definition
from api.desk import Desk
from api.keys import ProjectId
from api.replies import json_reply
from shared import db
from shared.items import Json

router = APIRouter()


def render(agent: Definition) -> Json:
    """Show an agent in one of its versions."""
    return changing.describe(agent, "agent", {**manifest.shown(agent.content), "type": "internal", "source": "internal"})


def _filters(pairs: Pairs) -> list[sql.Composable]:
    """Turn the query's filters into conditions."""
    conditions = reading.filters(pairs, AGENTS)
    if model := query.text(pairs, "model"):
        named = sql.SQL("{} IN (v.manifest->>'model', v.manifest->'model'->>'id')").format(sql.Literal(model))
        conditions.append(named)
    return conditions


@router.get("/agents")
async def agents(request: Request, project_id: ProjectId) -> Response:
    """List agents, newest first; `search`, `path` and `model` filter."""
    conditions = _filters(request.query_params.multi_items())
    return await reading.listed(request, AGENTS, project_id, conditions, render)


@router.post("/agents")
async def create(request: Request, project_id: ProjectId) -> Response:
    """Make an agent."""
    desk: Desk = request.state.desk
    written = await writing.read(request, manifest.MEMBERS)
    async with db.transaction(desk.pool) as session:
        made = await store.create(session, desk, project_id, written)
    return json_reply(render(made), status=201)


@router.get("/agents/{key}")
async def agent(request: Request, project_id: ProjectId, key: str) -> Response:
    """Show an agent, by key or id; `version` may name a version or an environment."""
    desk: Desk = request.state.desk
    ref = query.text(request.query_params.multi_items(), "version")
    async with db.connection(desk.pool) as session:
        found = await reading.one(session, AGENTS, project_id, key, ref)
    return json_reply(render(found))


@router.patch("/agents/{key}")
async def change(request: Request, project_id: ProjectId, key: str) -> Response:
    """Change an agent: members that are given take the place of the old ones, null brings a default back."""
    desk: Desk = request.state.desk
    written = await writing.read(request, manifest.MEMBERS)
    async with db.transaction(desk.pool) as session:
        held = await changing.hold(session, AGENTS, project_id, key)
        writing.require_version(request, held.newest)
        changed = await store.change(session, desk, held, written)
    return json_reply(render(changed))


@router.delete("/agents/{key}")
async def delete(request: Request, project_id: ProjectId, key: str) -> Response:
    """Delete an agent for good; responses of it that run go on with what they began with."""
    desk: Desk = request.state.desk
    async with db.transaction(desk.pool) as session:
        held = await changing.hold(session, AGENTS, project_id, key)
        await definitions.delete(session, AGENTS, held.id)
    return Response(status_code=204)


@router.get("/agents/{key}/versions")
async def versions(request: Request, project_id: ProjectId, key: str) -> Response:
    """List an agent's versions, newest first."""
    return await reading.versions(request, AGENTS, project_id, key)


@router.get("/agents/{key}/versions/{version}")
async def version(request: Request, project_id: ProjectId, key: str, version: str) -> Response:
    """Show an agent as it was in a version, or is in an environment."""
    desk: Desk = request.state.desk
    async with db.connection(desk.pool) as session:
        found = await reading.one(session, AGENTS, project_id, key, version)
    return json_reply(render(found))


@router.get("/agents/{key}/versions/{version}/diff")
async def difference(request: Request, project_id: ProjectId, key: str, version: str) -> Response:
    """Show what changed from a version to the one that `to` names."""
    return await reading.difference(request, AGENTS, project_id, key, version)


@router.post("/agents/{key}/versions/{version}/restore")
async def restore(request: Request, project_id: ProjectId, key: str, version: str) -> Response:
    """Make a new version that says what an old one said."""
    desk: Desk = request.state.desk
    async with db.transaction(desk.pool) as session:
        held = await changing.hold(session, AGENTS, project_id, key)
        writing.require_version(request, held.newest)
        old = await reading.one(session, AGENTS, project_id, key, version)
        restored = await changing.restore(session, desk.vault, AGENTS, held, old)
    return json_reply(render(restored), status=201)


@router.get("/agents/{key}/environments")
async def list_environments(request: Request, project_id: ProjectId, key: str) -> Response:
    """List an agent's environments."""
    desk: Desk = request.state.desk
    async with db.connection(desk.pool) as session:
        found = await changing.require(session, AGENTS, project_id, key)
        there = await environments.listed(session, found.id)
    return json_reply({"object": "list", "data": there, "has_more": False})


@router.put("/agents/{key}/environments/{name}")
async def point(request: Request, project_id: ProjectId, key: str, name: str) -> Response:
    """Point an environment to a version."""
    desk: Desk = request.state.desk
    environment = environments.name(name)
    wanted = environments.version(object_of(await read_body(request, writing.MAX_BODY)))
    async with db.transaction(desk.pool) as session:
        held = await changing.hold(session, AGENTS, project_id, key)
        found = await changing.require(session, AGENTS, project_id, held.id, version=wanted)
        await environments.require_room(session, held.id, environment)
        pointed = await environments.point(session, held.id, environment, found.version)
    return json_reply(pointed)


@router.delete("/agents/{key}/environments/{name}")
async def remove_environment(request: Request, project_id: ProjectId, key: str, name: str) -> Response:
    """Forget an environment; the version it points to stays."""
    desk: Desk = request.state.desk
    async with db.transaction(desk.pool) as session:
        held = await changing.hold(session, AGENTS, project_id, key)
        await environments.remove(session, held.id, name)
    return Response(status_code=204)
