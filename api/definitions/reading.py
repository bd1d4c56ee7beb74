"""The answers that are the same for all kinds of definitions: lists, versions, differences."""

from collections.abc import Callable
from typing import TypeAlias

from fastapi import Request, Response
from psycopg import sql

from api.create import query
from api.create.query import Pairs
from api.definitions import changing, store
from api.definitions.diff import diff
from api.definitions.store import AGENTS, Definition, Kind
from api.desk import Desk
from api.replies import json_reply, list_object
from shared import catalog, db
from shared.db import Session
from shared.items import Json

Render: TypeAlias = Callable[[Definition], Json]


def filters(pairs: Pairs, kind: Kind) -> list[sql.Composable]:
    """Turn `search` (in key, name and description) and `path` (how it begins) into conditions."""
    conditions: list[sql.Composable] = []
    if wanted := query.text(pairs, "search"):
        texts = "concat_ws(' ', d.key, v.{content}->>'display_name', v.{content}->>'description')"
        found = kind.compose(f"strpos(lower({texts}), lower({{wanted}})) > 0", wanted=sql.Literal(wanted))
        conditions.append(found)
    if prefix := query.text(pairs, "path", most=1024):
        conditions.append(kind.compose("starts_with(v.{content}->>'path', {prefix})", prefix=sql.Literal(prefix)))
    return conditions


async def one(session: Session, kind: Kind, project_id: str, key: str, ref: str | None) -> Definition:
    """Read a definition, in the version that `ref` means: a version, or an agent's environment. Raises NotFound."""
    newest = await changing.require(session, kind, project_id, key)
    if ref in {None, "", catalog.LATEST}:
        return newest
    version = ref
    if kind is AGENTS:
        version = (await catalog.agent(session, project_id, newest.key, ref, param="version")).version
    return await changing.require(session, kind, project_id, newest.id, version=version)


async def listed(request: Request, kind: Kind, project_id: str, conditions: list[sql.Composable], render: Render) -> Response:
    """Answer with a page of definitions, newest first."""
    desk: Desk = request.state.desk
    page = changing.page(request.query_params.multi_items())
    async with db.connection(desk.pool) as session:
        found = await store.listed(session, kind, project_id, conditions, page)
    more, found = len(found) > page.limit, found[: page.limit]
    if page.before:
        found.reverse()
    return list_object([render(each) for each in found], has_more=more)


async def versions(request: Request, kind: Kind, project_id: str, key: str) -> Response:
    """Answer with a page of versions, newest first."""
    desk: Desk = request.state.desk
    page = changing.page(request.query_params.multi_items())
    async with db.connection(desk.pool) as session:
        newest = await changing.require(session, kind, project_id, key)
        for cursor in (page.after, page.before):
            if cursor:
                await changing.require(session, kind, project_id, newest.id, version=cursor)
        found = await store.history(session, kind, newest.id, page)
    more, found = len(found) > page.limit, found[: page.limit]
    if page.before:
        found.reverse()
    return list_object([changing.describe_version(each, newest=newest.newest) for each in found], has_more=more)


async def difference(request: Request, kind: Kind, project_id: str, key: str, version: str) -> Response:
    """Answer with what changed from one version to another, by default the newest."""
    desk: Desk = request.state.desk
    to = query.text(request.query_params.multi_items(), "to")
    async with db.connection(desk.pool) as session:
        old = await one(session, kind, project_id, key, version)
        new = await one(session, kind, project_id, key, to)
    changes = list(diff(old.content, new.content))
    return json_reply({"object": "version.diff", "from": old.version, "to": new.version, "changes": changes})
