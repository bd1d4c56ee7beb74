"""`GET /v1/responses`: the project's responses, filtered, a page at a time."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from api.create import query
from api.create.query import Page, Pairs
from api.desk import Desk
from api.keys import ProjectId
from api.replies import list_object
from shared import db, snapshot
from shared.db import Session
from shared.errors import InvalidRequest
from shared.status import Status

router = APIRouter()

_OUTPUT: Final = sql.SQL("""coalesce((SELECT jsonb_agg(i.item ORDER BY i.position) FROM items i
                            WHERE i.response_id = r.id AND i.direction = 'output'), '[]') AS output""")


@router.get("/v1/responses")
async def responses(request: Request, project_id: ProjectId) -> Response:
    """List stored responses, newest first unless asked otherwise, with what they have put out so far."""
    desk: Desk = request.state.desk
    pairs = request.query_params.multi_items()
    page = query.page(pairs)
    filters = _filters(pairs)
    async with db.connection(desk.pool) as session:
        rows = await _select(session, project_id, filters, page)
    more, rows = len(rows) > page.limit, rows[: page.limit]
    if page.before:
        rows.reverse()
    return list_object([snapshot.render(row, row["output"]) for row in rows], has_more=more)


def _filters(pairs: Pairs) -> list[sql.Composable]:
    """Turn the query's filters into conditions."""
    conditions: list[sql.Composable] = []
    statuses = [_status(value) for value in query.texts(pairs, "status")]
    if statuses:
        conditions.append(sql.SQL("status = ANY({})").format(sql.Literal(statuses)))
    for parameter, column in {"identity": "identity_id", "thread": "thread_id", "agent": "agent", "model": "model"}.items():
        if value := query.text(pairs, parameter):
            conditions.append(sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value)))
    if metadata := query.metadata(pairs):
        conditions.append(sql.SQL("body->'metadata' @> {}").format(sql.Literal(Jsonb(metadata))))
    return conditions


def _status(value: str) -> str:
    """Check a status. Raises InvalidRequest."""
    if value not in set(Status):
        supported = ", ".join(f"'{status}'" for status in Status)
        raise InvalidRequest(
            f"Invalid value: '{value}'. Supported values are: {supported}.", param="status", code="invalid_value"
        )
    return value


async def _select(session: Session, project_id: str, filters: list[sql.Composable], page: Page) -> list[dict[str, Any]]:
    """Read one row more than the page holds, in the page's order (reversed for a page before a cursor)."""
    conditions = [sql.SQL("project_id = {} AND store AND deleted_at IS NULL").format(sql.Literal(project_id)), *filters]
    descending = (page.order == "desc") != bool(page.before)
    if cursor_id := page.after or page.before:
        edge = await _edge(session, project_id, cursor_id, "after" if page.after else "before")
        beyond = sql.SQL("(created_at, id) < {}" if descending else "(created_at, id) > {}")
        conditions.append(beyond.format(edge))
    statement = sql.SQL("SELECT {}, {} FROM responses r WHERE {} ORDER BY {} LIMIT {}").format(
        sql.SQL(snapshot.COLUMNS),
        _OUTPUT,
        sql.SQL(" AND ").join(conditions),
        sql.SQL("created_at DESC, id DESC" if descending else "created_at, id"),
        sql.Literal(page.limit + 1),
    )
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement)
        return await cursor.fetchall()


async def _edge(session: Session, project_id: str, response_id: str, name: str) -> sql.Composable:
    """Find a cursor's place in the order. Raises InvalidRequest."""
    cursor = await session.execute(
        "SELECT created_at FROM responses WHERE id = %s AND project_id = %s", (response_id, project_id)
    )
    row = await cursor.fetchone()
    if row is None:
        raise InvalidRequest(f"No response with id '{response_id}' is in this list.", param=name, code="invalid_value")
    return sql.SQL("({}, {})").format(sql.Literal(row[0]), sql.Literal(response_id))
