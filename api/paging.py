"""Pages of lists that are too long to read whole: ordered by creation, from one id to another."""

from collections.abc import Sequence
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from api.create.query import Page
from shared.db import Session
from shared.errors import InvalidRequest


async def paged(
    session: Session,
    select: sql.Composable,
    conditions: Sequence[sql.Composable],
    page: Page,
    *,
    table: str,
    alias: str,
    began: str = "created_at",
) -> tuple[list[dict[str, Any]], bool]:
    """Read a page of `SELECT … FROM table alias`, and whether there is more beyond it. Raises InvalidRequest for a cursor.

    The table needs the columns id and `began`, which order it; the first condition must name the project.
    """
    since, row_id = sql.Identifier(alias, began), sql.Identifier(alias, "id")
    descending = (page.order == "desc") != bool(page.before)
    wanted = list(conditions)
    if cursor_id := page.after or page.before:
        source = sql.SQL("{} {}").format(sql.Identifier(table), sql.Identifier(alias))
        own = sql.SQL("SELECT {} FROM {} WHERE {} = {} AND {}").format(
            since, source, row_id, sql.Literal(cursor_id), conditions[0]
        )
        edge = await _edge(session, own, cursor_id, name="after" if page.after else "before")
        wanted.append(sql.SQL("({}, {}) {} {}").format(since, row_id, sql.SQL("<" if descending else ">"), edge))
    statement = sql.SQL("{} WHERE {} ORDER BY {since} {way}, {row_id} {way} LIMIT {most}").format(
        *(select, sql.SQL(" AND ").join(wanted)),
        since=since,
        row_id=row_id,
        way=sql.SQL("DESC" if descending else "ASC"),
        most=sql.Literal(page.limit + 1),
    )
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement)
        rows = await cursor.fetchall()
    more, rows = len(rows) > page.limit, rows[: page.limit]
    return (rows[::-1] if page.before else rows), more


async def _edge(session: Session, statement: sql.Composed, cursor_id: str, *, name: str) -> sql.Composable:
    """Find a cursor's place in the order: of any row of the project, whether the list's filters let it through or not."""
    row = await (await session.execute(statement)).fetchone()
    if row is None:
        raise InvalidRequest(f"No object with id '{cursor_id}' is in this list.", param=name, code="invalid_value")
    return sql.SQL("({}, {})").format(sql.Literal(row[0]), sql.Literal(cursor_id))
