"""`/v1/tools` and `/v2/tools`: making, reading, changing and deleting saved tools, by key or id."""

from fastapi import APIRouter, Request, Response
from psycopg import sql

from api.create import query
from api.create.query import Pairs
from api.definitions import changing, reading, sealing, writing
from api.definitions.store import TOOLS, Definition
from api.desk import Desk
from api.keys import ProjectId
from api.replies import json_reply
from api.saved_tools import definition, store
from shared import db
from shared.items import Json

router = APIRouter()


def render(tool: Definition) -> Json:
    """Show a tool in one of its versions."""
    return changing.describe(tool, "tool", sealing.shown(tool.content))


def _filters(pairs: Pairs) -> list[sql.Composable]:
    """Turn the query's filters into conditions."""
    conditions = reading.filters(pairs, TOOLS)
    if kind := query.choice(pairs, "type", allowed=tuple(definition.PARTS)):
        conditions.append(sql.SQL("d.type = {}").format(sql.Literal(kind)))
    return conditions


@router.get("/tools")
async def tools(request: Request, project_id: ProjectId) -> Response:
    """List tools, newest first; `search`, `path` and `type` filter."""
    conditions = _filters(request.query_params.multi_items())
    return await reading.listed(request, TOOLS, project_id, conditions, render)


@router.post("/tools")
async def create(request: Request, project_id: ProjectId) -> Response:
    """Make a tool."""
    desk: Desk = request.state.desk
    written = await writing.read(request, definition.MEMBERS)
    async with db.transaction(desk.pool) as session:
        made = await store.create(session, desk, project_id, written)
    return json_reply(render(made), status=201)


@router.get("/tools/{key}")
async def tool(request: Request, project_id: ProjectId, key: str) -> Response:
    """Show a tool; `version` may name a version."""
    desk: Desk = request.state.desk
    ref = query.text(request.query_params.multi_items(), "version")
    async with db.connection(desk.pool) as session:
        found = await reading.one(session, TOOLS, project_id, key, ref)
    return json_reply(render(found))


@router.patch("/tools/{key}")
async def change(request: Request, project_id: ProjectId, key: str) -> Response:
    """Change a tool: members that are given take the place of the old ones, null brings a default back."""
    desk: Desk = request.state.desk
    written = await writing.read(request, definition.MEMBERS)
    async with db.transaction(desk.pool) as session:
        held = await changing.hold(session, TOOLS, project_id, key)
        writing.require_version(request, held.newest)
        changed = await store.change(session, desk, held, written)
    return json_reply(render(changed))


@router.delete("/tools/{key}")
async def delete(request: Request, project_id: ProjectId, key: str) -> Response:
    """Delete a tool for good; agents that use it are in the way unless `force` is true."""
    desk: Desk = request.state.desk
    force = query.boolean(request.query_params.multi_items(), "force") or False
    async with db.transaction(desk.pool) as session:
        held = await changing.hold(session, TOOLS, project_id, key)
        await store.delete(session, held, force=force)
    return Response(status_code=204)


@router.get("/tools/{key}/versions")
async def versions(request: Request, project_id: ProjectId, key: str) -> Response:
    """List a tool's versions, newest first."""
    return await reading.versions(request, TOOLS, project_id, key)


@router.get("/tools/{key}/versions/{version}")
async def version(request: Request, project_id: ProjectId, key: str, version: str) -> Response:
    """Show a tool as it was in a version."""
    desk: Desk = request.state.desk
    async with db.connection(desk.pool) as session:
        found = await reading.one(session, TOOLS, project_id, key, version)
    return json_reply(render(found))


@router.get("/tools/{key}/versions/{version}/diff")
async def difference(request: Request, project_id: ProjectId, key: str, version: str) -> Response:
    """Show what changed from a version to the one that `to` names."""
    return await reading.difference(request, TOOLS, project_id, key, version)


@router.post("/tools/{key}/versions/{version}/restore")
async def restore(request: Request, project_id: ProjectId, key: str, version: str) -> Response:
    """Make a new version that does what an old one did."""
    desk: Desk = request.state.desk
    async with db.transaction(desk.pool) as session:
        held = await changing.hold(session, TOOLS, project_id, key)
        writing.require_version(request, held.newest)
        old = await reading.one(session, TOOLS, project_id, key, version)
        restored = await changing.restore(session, desk.vault, TOOLS, held, old)
    return json_reply(render(restored), status=201)
