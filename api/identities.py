"""`/v2/identities`: the end users, teams and clients that responses and router calls are attributed to."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from api.body import read_body
from api.create import check, query
from api.create.check import Check
from api.create.fields import IDENTITY
from api.create.request import object_of
from api.desk import Desk
from api.keys import ProjectId
from api.paging import paged
from api.replies import json_reply, list_object
from shared import db
from shared.db import Session
from shared.errors import Conflict, NotFound
from shared.items import Json

router = APIRouter()

_MAX_BODY: Final = 65_536
_MEMBERS: Final[Mapping[str, Check]] = {
    **{name: one for name, one in IDENTITY.items() if name not in {"id", "logo_url"}},
    "avatar_url": IDENTITY["logo_url"],
}
_NEW: Final[Mapping[str, Check]] = {**_MEMBERS, "external_id": IDENTITY["id"]}
_METRICS: Final = """
LEFT JOIN LATERAL (
    SELECT count(*) AS total_requests, coalesce(sum((one.usage->>'total_tokens')::bigint), 0)::bigint AS total_tokens,
           coalesce(sum(one.cost), 0)::float8 AS total_cost,
           coalesce(avg((one.status = 'failed')::int), 0)::float8 AS error_rate,
           extract(epoch FROM max(coalesce(one.finished_at, one.started_at)))::float8 AS last_active_at
      FROM (SELECT r.usage, r.cost, r.status, r.created_at AS started_at, r.finished_at FROM responses r
             WHERE r.project_id = i.project_id AND r.identity_id = i.id AND r.parent_id IS NULL
             UNION ALL
            SELECT c.usage, c.cost, c.status, c.started_at, c.finished_at FROM router_calls c
             WHERE c.project_id = i.project_id AND c.identity_id = i.id) one) m ON %(wanted)s"""
_SELECT: Final = sql.SQL("SELECT i.*, {} AS metrics FROM identities i {}")


class IdentityNotFound(NotFound):
    """The identity was not found."""

    def __init__(self, identity_id: str) -> None:
        """Name the id, whether it is unknown or foreign."""
        super().__init__(f"Identity with id '{check.shown(identity_id)}' not found.", param="identity_id")


@router.post("/v2/identities")
async def create(request: Request, project_id: ProjectId) -> Response:
    """Make an identity, under the id that requests will name it by. Raises Conflict for one that exists."""
    desk: Desk = request.state.desk
    given = check.body(object_of(await read_body(request, _MAX_BODY)), members=_NEW, required=("external_id",))
    values = {"id": given.pop("external_id"), **_columns(given)}
    async with db.connection(desk.pool) as session:
        made = await session.execute(
            """INSERT INTO identities (project_id, id, display_name, email, logo_url, metadata, tags)
               VALUES (%(project_id)s, %(id)s, %(display_name)s, %(email)s, %(logo_url)s, %(metadata)s, %(tags)s)
                   ON CONFLICT DO NOTHING""",
            {"project_id": project_id, **dict.fromkeys(_COLUMNS), **values},
        )
        if made.rowcount == 0:
            raise Conflict(f"There is an identity '{check.shown(values['id'])}' already.", param="external_id")
        return json_reply(await _find(session, project_id, values["id"], metrics=False), status=201)


@router.get("/v2/identities")
async def identities(request: Request, project_id: ProjectId) -> Response:
    """List identities, newest first; filters: `search` (id, name, email) and `tags`; `include_metrics` adds their use."""
    desk: Desk = request.state.desk
    pairs = request.query_params.multi_items()
    page = query.page(pairs)
    conditions = [sql.SQL("i.project_id = {}").format(sql.Literal(project_id))]
    if search := query.text(pairs, "search"):
        words = sql.Literal(f"%{_escaped(search)}%")
        conditions.append(sql.SQL("(i.id ILIKE {0} OR i.display_name ILIKE {0} OR i.email ILIKE {0})").format(words))
    if tags := [*query.texts(pairs, "tags"), *query.texts(pairs, "filter_by[tags]")]:
        conditions.append(sql.SQL("i.tags ?| {}").format(sql.Literal(tags)))
    select = _select(metrics=bool(query.boolean(pairs, "include_metrics")))
    async with db.connection(desk.pool) as session:
        rows, more = await paged(session, select, conditions, page, table="identities", alias="i")
    return list_object([_shown(row) for row in rows], has_more=more)


@router.get("/v2/identities/{identity_id:path}")
async def retrieve(request: Request, project_id: ProjectId, identity_id: str) -> Response:
    """Show an identity, with its use."""
    desk: Desk = request.state.desk
    async with db.connection(desk.pool) as session:
        return json_reply(await _find(session, project_id, identity_id, metrics=True))


@router.patch("/v2/identities/{identity_id:path}")
async def update(request: Request, project_id: ProjectId, identity_id: str) -> Response:
    """Change what is given, and leave the rest."""
    desk: Desk = request.state.desk
    body = {name: value for name, value in object_of(await read_body(request, _MAX_BODY)).items() if name not in _READ_ONLY}
    values = _columns(check.body(body, members=_MEMBERS))
    settings = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in values.items()]
    statement = sql.SQL("UPDATE identities SET {} WHERE project_id = {} AND id = {}").format(
        sql.SQL(", ").join([*settings, sql.SQL("updated_at = now()")]),
        sql.Literal(project_id),
        sql.Literal(_plain(identity_id)),
    )
    async with db.connection(desk.pool) as session:
        await session.execute(statement)
        return json_reply(await _find(session, project_id, identity_id, metrics=True))


@router.delete("/v2/identities/{identity_id:path}")
async def delete(request: Request, project_id: ProjectId, identity_id: str) -> Response:
    """Delete the record; responses and calls keep the id that they were attributed to."""
    desk: Desk = request.state.desk
    async with db.connection(desk.pool) as session:
        gone = await session.execute(
            "DELETE FROM identities WHERE project_id = %s AND id = %s", (project_id, _plain(identity_id))
        )
    if gone.rowcount == 0:
        raise IdentityNotFound(identity_id)
    return Response(status_code=204)


_COLUMNS: Final = ("display_name", "email", "logo_url", "metadata", "tags")
_READ_ONLY: Final = frozenset({"_id", "id", "object", "external_id", "created", "updated", "metrics"})


def _columns(given: Json) -> dict[str, Any]:
    """Name what was given as the table does."""
    values = {"logo_url" if name == "avatar_url" else name: value for name, value in given.items()}
    return {name: Jsonb(value) if name in {"metadata", "tags"} else value for name, value in values.items()}


def _select(*, metrics: bool) -> sql.Composed:
    join = sql.SQL(_METRICS.replace("%(wanted)s", "true")) if metrics else sql.SQL("")
    return _SELECT.format(sql.SQL("to_jsonb(m)" if metrics else "NULL"), join)


async def _find(session: Session, project_id: str, identity_id: str, *, metrics: bool) -> Json:
    """Read one. Raises IdentityNotFound."""
    async with session.cursor(row_factory=dict_row) as cursor:
        statement = sql.SQL("{} WHERE i.project_id = {} AND i.id = {}").format(
            _select(metrics=metrics), sql.Literal(project_id), sql.Literal(_plain(identity_id))
        )
        await cursor.execute(statement)
        row = await cursor.fetchone()
    if row is None:
        raise IdentityNotFound(identity_id)
    return _shown(row)


def _shown(row: Mapping[str, Any]) -> Json:
    """Render a row."""
    return {
        "object": "identity",
        "_id": row["id"],
        "id": row["id"],
        "external_id": row["id"],
        "display_name": row["display_name"],
        "email": row["email"],
        "avatar_url": row["logo_url"],
        "tags": row["tags"] or [],
        "metadata": row["metadata"] or {},
        "created": row["created_at"].isoformat(),
        "updated": row["updated_at"].isoformat(),
        **({"metrics": row["metrics"]} if row["metrics"] is not None else {}),
    }


def _escaped(words: str) -> str:
    r"""Write `%`, `_` and `\` so that they stand for themselves in a pattern."""
    return _plain(words).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _plain(text: str) -> str:
    """Take out what no text in Postgres can hold."""
    return text.replace("\0", "")
