"""Tools of other vendors, on wires that cannot serve them."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from agents.models import anthropic_request, google_request, openai_chat_request
from agents.models.base import ModelRequest
from agents.models.openai_chat_request import Dialect
from shared.items import Json

F: Json = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
REQUEST = ModelRequest(
    model="m",
    items=[{"type": "message", "role": "user", "content": "Hi."}],
    tools=[F, {"type": "web_search"}, {"type": "web_search"}, {"type": "file_search"}],
)


@pytest.mark.parametrize(
    ("build", "wire"),
    [
        (lambda: anthropic_request.build(REQUEST, wire="w"), "anthropic"),
        (lambda: google_request.build(REQUEST, wire="w"), "google"),
        (lambda: openai_chat_request.build(REQUEST, dialect=Dialect(), wire="w"), "openai-chat"),
    ],
)
def test_each_type_that_is_skipped_is_logged_once(build: Callable[[], Json], wire: str) -> None:
    with capture_logs() as logs:
        assert "web_search" not in str(build())
    skipped = {"event": "hosted_tool_skipped", "log_level": "warning", "wire": wire}
    assert logs == [skipped | {"type": "file_search"}, skipped | {"type": "web_search"}]
