"""The response object, every key on every path, made in one place from a stored row and its output items."""

from collections.abc import Mapping
from typing import Any

from shared.items import Item, Json


def render(row: Mapping[str, Any], output: list[Item]) -> Json:
    """Make the object that clients read. `row` needs the members named below; times are aware datetimes."""
    finished = row["finished_at"] if row["status"] == "completed" else None
    return {
        "id": row["id"],
        "object": "response",
        "created_at": int(row["created_at"].timestamp()),
        "completed_at": int(finished.timestamp()) if finished else None,
        "status": row["status"],
        "error": row["error"],
        "incomplete_details": row["incomplete_details"],
        **row["body"],
        "output": output,
        "usage": row["usage"],
    }


COLUMNS = "id, created_at, finished_at, status, error, incomplete_details, body, usage"
"""The columns that `render` needs."""
