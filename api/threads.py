"""`/v2/threads`: responses under one label, read as a conversation, with what they and router calls took and cost."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from psycopg import sql
from psycopg.rows import dict_row

from api.create import check, query
from api.desk import Desk
from api.keys import ProjectId
from api.paging import paged
from api.replies import json_reply, list_object
from shared import db
from shared.db import Session
from shared.errors import NotFound
from shared.items import Json

router = APIRouter()

_TOTALS: Final = """
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE NOT one.routed) AS responses_count, count(*) FILTER (WHERE one.routed) AS calls_count,
           coalesce(sum((one.usage->>'input_tokens')::bigint), 0)::bigint AS input_tokens,
           coalesce(sum((one.usage->>'output_tokens')::bigint), 0)::bigint AS output_tokens,
           coalesce(sum((one.usage->>'total_tokens')::bigint), 0)::bigint AS total_tokens, sum(one.cost)::float8 AS total_cost,
           coalesce(avg((one.status = 'failed')::int), 0)::float8 AS error_rate,
           extract(epoch FROM min(one.started_at))::float8 AS started_at,
           extract(epoch FROM max(coalesce(one.finished_at, one.started_at)))::float8 AS last_active_at,
           coalesce(sum(extract(epoch FROM coalesce(one.finished_at, now()) - one.started_at)), 0)::float8 AS duration,
           array_remove(array_agg(DISTINCT one.identity_id), NULL) AS identities,
           array_remove(array_agg(DISTINCT one.agent), NULL) AS agents
      FROM (SELECT false AS routed, r.usage, r.cost, r.status, r.created_at AS started_at, r.finished_at, r.identity_id, r.agent
              FROM responses r
             WHERE r.project_id = t.project_id AND r.thread_id = t.id AND r.parent_id IS NULL AND r.store
               AND r.deleted_at IS NULL
             UNION ALL
            SELECT true, c.usage, c.cost, c.status, c.started_at, c.finished_at, c.identity_id, NULL
              FROM router_calls c WHERE c.project_id = t.project_id AND c.thread_id = t.id) one) s ON true"""
"""What a delegated response took is in its parent's numbers already."""
_SELECT: Final = sql.SQL(f"SELECT t.id, t.tags, t.created_at, t.updated_at, to_jsonb(s) AS totals FROM threads t {_TOTALS}")
_CALLS: Final = """
SELECT count(*) AS count, count(*) FILTER (WHERE status = 'failed') AS errors,
       coalesce(sum((usage->>'input_tokens')::bigint), 0)::bigint AS input_tokens,
       coalesce(sum((usage->>'output_tokens')::bigint), 0)::bigint AS output_tokens,
       coalesce(sum((usage->>'total_tokens')::bigint), 0)::bigint AS total_tokens, sum(cost)::float8 AS total_cost,
       extract(epoch FROM min(started_at))::float8 AS started_at,
       extract(epoch FROM max(finished_at))::float8 AS last_active_at
  FROM router_calls WHERE project_id = %s AND thread_id = %s"""
_RESPONSES: Final = sql.SQL("""
SELECT r.id, r.status, r.model, r.agent, r.identity_id AS identity, r.usage, r.error, r.incomplete_details,
       extract(epoch FROM r.created_at)::float8 AS created_at, extract(epoch FROM r.finished_at)::float8 AS finished_at,
       coalesce((SELECT jsonb_agg(i.item ORDER BY i.position) FROM items i
                  WHERE i.response_id = r.id AND i.direction = 'input'), '[]') AS input,
       coalesce((SELECT jsonb_agg(i.item ORDER BY i.position) FROM items i
                  WHERE i.response_id = r.id AND i.direction = 'output'), '[]') AS output
  FROM responses r""")


class ThreadNotFound(NotFound):
    """The thread was not found."""

    def __init__(self, thread_id: str) -> None:
        """Name the id, whether it is unknown or foreign."""
        super().__init__(f"Thread with id '{check.shown(thread_id)}' not found.", param="thread_id")


@router.get("/v2/threads")
async def threads(request: Request, project_id: ProjectId) -> Response:
    """List threads, newest first, with their totals; filters: `tags`, `identity`, `agent`, `search` (in the id)."""
    desk: Desk = request.state.desk
    pairs = request.query_params.multi_items()
    page = query.page(pairs)
    conditions = [sql.SQL("t.project_id = {}").format(sql.Literal(project_id))]
    if tags := query.texts(pairs, "tags"):
        conditions.append(sql.SQL("t.tags ?| {}").format(sql.Literal(tags)))
    for parameter, members in {"identity": "identities", "agent": "agents"}.items():
        if value := query.text(pairs, parameter):
            conditions.append(sql.SQL("{} = ANY(s.{})").format(sql.Literal(value), sql.Identifier(members)))
    if search := query.text(pairs, "search"):
        conditions.append(sql.SQL("strpos(t.id, {}) > 0").format(sql.Literal(search)))
    async with db.connection(desk.pool) as session:
        rows, more = await paged(session, _SELECT, conditions, page, table="threads", alias="t")
    return list_object([_shown(row) for row in rows], has_more=more)


@router.get("/v2/threads/{thread_id:path}")
async def thread(request: Request, project_id: ProjectId, thread_id: str) -> Response:
    """Show a thread and a page of its responses, oldest first unless asked otherwise, each with what was said.

    Of router calls there are only sums, as nothing is kept of what they said.
    """
    desk: Desk = request.state.desk
    pairs = request.query_params.multi_items()
    page = query.page([("order", "asc"), ("limit", "100"), *pairs])
    thread_id = thread_id.replace("\0", "")
    conditions = [
        sql.SQL("r.project_id = {}").format(sql.Literal(project_id)),
        sql.SQL("r.thread_id = {}").format(sql.Literal(thread_id)),
        sql.SQL("r.parent_id IS NULL AND r.store AND r.deleted_at IS NULL"),
    ]
    async with db.connection(desk.pool) as session:
        found = await _find(session, project_id, thread_id)
        rows, more = await paged(session, _RESPONSES, conditions, page, table="responses", alias="r")
        calls = await _calls(session, project_id, thread_id)
    return json_reply({**_shown(found), "calls": calls, "responses": {"object": "list", "data": rows, "has_more": more}})


async def _find(session: Session, project_id: str, thread_id: str) -> dict[str, Any]:
    """Read one. Raises ThreadNotFound."""
    async with session.cursor(row_factory=dict_row) as cursor:
        statement = sql.SQL("{} WHERE t.project_id = {} AND t.id = {}").format(
            _SELECT, sql.Literal(project_id), sql.Literal(thread_id)
        )
        await cursor.execute(statement)
        row = await cursor.fetchone()
    if row is None:
        raise ThreadNotFound(thread_id)
    return row


async def _calls(session: Session, project_id: str, thread_id: str) -> Json | None:
    """Sum up a thread's router calls."""
    async with session.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(_CALLS, (project_id, thread_id))).fetchone()


def _shown(row: dict[str, Any]) -> Json:
    """Render a row. Times are Unix seconds, the duration is the sum of each one's own, the cost is in USD."""
    return {
        "object": "thread",
        "id": row["id"],
        "tags": row["tags"] or [],
        "created_at": row["created_at"].timestamp(),
        "updated_at": row["updated_at"].timestamp(),
        **row["totals"],
    }
