"""The context of a response: the chain of its ancestors' items, oldest first."""

from typing import Final

from shared.db import Session
from shared.items import Item

CHAIN: Final = """
WITH RECURSIVE chain AS (
    SELECT {root}.id, {root}.project_id, {root}.previous_response_id, 0 AS depth
     UNION ALL
    SELECT a.id, a.project_id, a.previous_response_id, c.depth + 1
      FROM chain c CROSS JOIN LATERAL (
           SELECT * FROM responses WHERE id = c.previous_response_id OFFSET 0) a
     WHERE a.project_id = c.project_id)
SELECT {select} FROM chain c
 CROSS JOIN LATERAL (SELECT * FROM items WHERE response_id = c.id OFFSET 0) i
"""
"""A subquery over the items of row `{root}` and all its ancestors; `c.depth` is 0 for the row itself.

`OFFSET 0` has each link and its items looked up by key: the planner expects many of them, or as yet small tables, and would
read these from end to end.
"""

ORDER: Final = "c.depth DESC, i.direction, i.position"
"""Oldest first; 'input' sorts before 'output'."""


async def load(session: Session, response_id: str) -> tuple[list[Item], set[str]]:
    """Read the items of the response and all its ancestors: each one's input, then its output, in order.

    The second value names the calls that nobody needs to answer, because the response that made them was not completed.
    """
    cursor = await session.execute(_LOAD, (response_id,))
    rows = await cursor.fetchall()
    return [item for item, _ in rows], {item["call_id"] for item, status in rows if status != "completed" and "call_id" in item}


_STATUS: Final = "(SELECT s.status FROM responses s WHERE s.id = c.id) AS status"
_LOAD = (
    "SELECT h.item, h.status FROM responses r, LATERAL ("
    + CHAIN.format(root="r", select=f"i.item, {_STATUS}, row_number() OVER (ORDER BY {ORDER}) AS n")
    + ") h WHERE r.id = %s ORDER BY h.n"
)
