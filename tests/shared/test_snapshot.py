"""The response object has every key on every path, and its times are numbers."""

from datetime import UTC, datetime

import pytest

from shared import snapshot
from shared.status import Status
from tests import rows

WANTED = """
id object created_at completed_at status background error incomplete_details instructions max_output_tokens max_tool_calls model
output parallel_tool_calls previous_response_id conversation prompt prompt_cache_key reasoning safety_identifier service_tier
store temperature text tool_choice tools top_logprobs top_p truncation usage user metadata
"""
KEYS = frozenset(WANTED.split())
AT = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)


def row(status: Status) -> dict[str, object]:
    return {
        "id": "resp_1",
        "created_at": AT,
        "finished_at": AT,
        "status": status.value,
        "error": None,
        "incomplete_details": None,
        "body": rows.new_response("proj_1").body,
        "usage": None,
    }


@pytest.mark.parametrize("status", Status)
def test_every_key_is_there_in_every_state(status: Status) -> None:
    assert set(snapshot.render(row(status), [])) >= KEYS


@pytest.mark.parametrize("status", Status)
def test_only_a_completed_response_was_completed_at_a_time(status: Status) -> None:
    rendered = snapshot.render(row(status), [])
    assert rendered["created_at"] == int(AT.timestamp())
    assert rendered["completed_at"] == (int(AT.timestamp()) if status is Status.COMPLETED else None)


def test_the_listed_columns_are_those_that_are_needed() -> None:
    assert {name.strip() for name in snapshot.COLUMNS.split(",")} == set(row(Status.QUEUED))
