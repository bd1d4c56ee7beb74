"""`/v2/router/calls`: what went through the router, a page at a time. Nothing is kept of what was said."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from psycopg import sql
from psycopg.rows import dict_row

from agents.models.upstream import ENDPOINTS
from api.create import check, query
from api.create.query import Pairs
from api.desk import Desk
from api.keys import ProjectId
from api.paging import paged
from api.replies import json_reply, list_object
from shared import db
from shared.errors import NotFound
from shared.items import Json

router = APIRouter()

STATUSES: Final = ("completed", "failed", "cancelled")

_SELECT: Final = sql.SQL("SELECT c.* FROM router_calls c")
_FIND: Final = "SELECT * FROM router_calls WHERE project_id = %s AND id = %s"
_FILTERS: Final = {"identity": "identity_id", "thread": "thread_id", "api_key": "api_key_id"}


class CallNotFound(NotFound):
    """The call was not found."""

    def __init__(self, call_id: str) -> None:
        """Name the id, whether it is unknown or foreign."""
        super().__init__(f"Call with id '{check.shown(call_id)}' not found.", param="call_id")


@router.get("/router/calls")
async def calls(request: Request, project_id: ProjectId) -> Response:
    """List calls, newest first unless asked otherwise.

    Filters: `identity`, `thread`, `api_key`, `model` (asked for, or that answered), `endpoint`, `status`, `tags` (any of them),
    and `since` and `until`, which bound when a call began.
    """
    desk: Desk = request.state.desk
    pairs = request.query_params.multi_items()
    page = query.page(pairs)
    conditions = [sql.SQL("c.project_id = {}").format(sql.Literal(project_id)), *_filters(pairs)]
    async with db.connection(desk.pool) as session:
        rows, more = await paged(session, _SELECT, conditions, page, table="router_calls", alias="c", began="started_at")
    return list_object([_shown(row) for row in rows], has_more=more)


@router.get("/router/calls/{call_id}")
async def call(request: Request, project_id: ProjectId, call_id: str) -> Response:
    """Show a call, by the id in its answer's `x-rondo-call-id`. It is there a moment after the answer has ended."""
    desk: Desk = request.state.desk
    async with db.connection(desk.pool) as session, session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_FIND, (project_id, call_id.replace("\0", "")))
        row = await cursor.fetchone()
    if row is None:
        raise CallNotFound(call_id)
    return json_reply(_shown(row))


def _filters(pairs: Pairs) -> list[sql.Composable]:
    """Turn the query's filters into conditions. Raises InvalidRequest."""
    conditions: list[sql.Composable] = []
    for parameter, column in _FILTERS.items():
        if value := query.text(pairs, parameter):
            conditions.append(sql.SQL("{} = {}").format(sql.Identifier("c", column), sql.Literal(value)))
    for parameter, allowed in {"endpoint": tuple(ENDPOINTS), "status": STATUSES}.items():
        if wanted := [check.choice(value, parameter, allowed=allowed) for value in query.texts(pairs, parameter)]:
            conditions.append(sql.SQL("{} = ANY({})").format(sql.Identifier("c", parameter), sql.Literal(wanted)))
    if model := query.text(pairs, "model"):
        conditions.append(sql.SQL("{} IN (c.model, c.answered_by)").format(sql.Literal(model)))
    if tags := query.texts(pairs, "tags"):
        conditions.append(sql.SQL("c.tags ?| {}").format(sql.Literal(tags)))
    for parameter, test in {"since": "c.started_at >= {}", "until": "c.started_at < {}"}.items():
        if (bound := query.instant(pairs, parameter)) is not None:
            conditions.append(sql.SQL(test).format(sql.Literal(bound)))
    return conditions


def _shown(row: dict[str, Any]) -> Json:
    """Render a row. Times are Unix seconds, durations milliseconds, the cost is in USD and null if it is not known."""
    return {
        "object": "router.call",
        "id": row["id"],
        "endpoint": row["endpoint"],
        "model": row["model"],
        "answered_by": row["answered_by"],
        "status": row["status"],
        "http_status": row["http_status"],
        "error": row["error"],
        "stream": row["stream"],
        "cache": row["cache"],
        "attempts": row["attempts"],
        "usage": row["usage"],
        "cost": None if row["cost"] is None else float(row["cost"]),
        "started_at": row["started_at"].timestamp(),
        "finished_at": row["finished_at"].timestamp(),
        "latency_ms": round((row["finished_at"] - row["started_at"]).total_seconds() * 1000),
        "first_token_ms": row["first_token_ms"],
        "identity": row["identity_id"],
        "thread": row["thread_id"],
        "api_key": row["api_key_id"],
        "name": row["name"],
        "tags": row["tags"] or [],
        "metadata": row["metadata"] or {},
    }
