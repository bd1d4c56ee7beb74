"""Pages of lists that are too long to read whole: ordered by creation, from one id to another."""

from collections.abc import Sequence
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from api.create.query import Page
from shared.db import Session
from shared.errors import InvalidRequest


async def paged(
    session: Session, select: sql.Composable, conditions: Sequence[sql.Composable], page: Page, *, table: str, alias: str
) -> tuple[list[dict[str, Any]], bool]:
    """Read a page of `SELECT … FROM table alias`, and whether there is more beyond it. Raises InvalidRequest for a cursor.

    The table needs the columns id and created_at; the first condition must name the project.
    """
    place = sql.SQL("({0}.created_at, {0}.id)").format(sql.Identifier(alias))
    descending = (page.order == "desc") != bool(page.before)
    wanted = list(conditions)
    if cursor_id := page.after or page.before:
        edge = await _edge(session, cursor_id, conditions, table=table, alias=alias, name="after" if page.after else "before")
        wanted.append(sql.SQL("{} < {}" if descending else "{} > {}").format(place, edge))
    direction = sql.SQL("DESC" if descending else "ASC")
    statement = sql.SQL("{} WHERE {} ORDER BY {alias}.created_at {way}, {alias}.id {way} LIMIT {most}").format(
        *(select, sql.SQL(" AND ").join(wanted)),
        alias=sql.Identifier(alias),
        way=direction,
        most=sql.Literal(page.limit + 1),
    )
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement)
        rows = await cursor.fetchall()
    more, rows = len(rows) > page.limit, rows[: page.limit]
    return (rows[::-1] if page.before else rows), more


async def _edge(
    session: Session, cursor_id: str, conditions: Sequence[sql.Composable], *, table: str, alias: str, name: str
) -> sql.Composable:
    """Find a cursor's place in the order: of any row of the project, whether the list's filters let it through or not."""
    statement = sql.SQL("SELECT {0}.created_at FROM {1} {0} WHERE {0}.id = {2} AND {3}").format(
        sql.Identifier(alias), sql.Identifier(table), sql.Literal(cursor_id), conditions[0]
    )
    row = await (await session.execute(statement)).fetchone()
    if row is None:
        raise InvalidRequest(f"No object with id '{cursor_id}' is in this list.", param=name, code="invalid_value")
    return sql.SQL("({}, {})").format(sql.Literal(row[0]), sql.Literal(cursor_id))
