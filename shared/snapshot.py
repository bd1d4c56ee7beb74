"""The response object, every key on every path, made in one place from a stored row and its output items."""

from collections.abc import Mapping
from typing import Any, Final

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

ECHO: Final[Json] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "model": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "conversation": None,
    "prompt": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
    "identity": None,
    "thread": None,
    "reasoning": {"effort": None, "summary": None},
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "service_tier": "default",
}
"""What a response's `body` says where nobody said anything else: clients expect every member."""
