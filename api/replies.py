"""Bodies of answers: JSON encoded once, lists with cursors, and errors that name what is not there."""

from collections.abc import Mapping
from typing import Annotated

import orjson
from fastapi import Depends, Response

from api.create.query import Page
from shared.errors import InvalidRequest, NotFound
from shared.items import Json


class ResponseNotFound(NotFound):
    """The response was not found."""

    def __init__(self, response_id: str) -> None:
        """Name the id, whether it is unknown, foreign, deleted or never stored: they must look alike."""
        super().__init__(f"Response with id '{response_id}' not found.", param="response_id")


def _response_id(response_id: str) -> str:
    """Take the id out of the path. What no id can look like is not looked up."""
    if not (response_id.isascii() and response_id.isprintable()):
        raise ResponseNotFound(response_id.encode("ascii", "replace").decode())
    return response_id


ResponseId = Annotated[str, Depends(_response_id)]
"""A handler's parameter of this type receives the `response_id` of its path."""


def json_reply(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Encode an answer."""
    return raw_reply(orjson.dumps(content), status=status, headers=headers)


def raw_reply(content: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON that is encoded already."""
    return Response(content, status_code=status, media_type="application/json", headers=dict(headers or {}))


def list_reply(data: list[Json], page: Page) -> Response:
    """Cut a page out of a whole list that is in the page's order. Raises InvalidRequest for an unknown cursor."""
    ids = [element["id"] for element in data]
    start, stop = 0, len(data)
    if page.after:
        start = _position(ids, page.after, "after") + 1
    if page.before:
        stop = _position(ids, page.before, "before")
        start = max(start, stop - page.limit)
    part = data[start:stop][: page.limit]
    return list_object(part, has_more=start > 0 if page.before else start + len(part) < stop)


def list_object(data: list[Json], *, has_more: bool) -> Response:
    """Answer with OpenAI's list object."""
    return json_reply(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": has_more,
        }
    )


def _position(ids: list[str], wanted: str, name: str) -> int:
    """Find a cursor."""
    try:
        return ids.index(wanted)
    except ValueError:
        raise InvalidRequest(f"No item with id '{wanted}' is in this list.", param=name, code="invalid_value") from None
