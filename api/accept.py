"""Accepting a response: checked, stored with everything that is already certain, and hinted at. Then it cannot be lost."""

import hashlib
import time
from dataclasses import asdict, dataclass, replace
from typing import Final

from agents.models.providers import UnknownModel
from api import context, store
from api.create.request import CreateRequest
from api.desk import Desk
from shared import db, entry, ids
from shared.entry import NewResponse
from shared.errors import InvalidRequest
from shared.frames import Page
from shared.items import Json

MAX_KEY: Final = 255
"""Characters of an `Idempotency-Key`."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A stored response: the one just made, or the one that the same idempotency key made before."""

    id: str
    page: Page | None = None
    """The first events; None for an older response."""
    created: Json | None = None
    """The response object as it was created; None for an older response."""


def new_response(desk: Desk, project_id: str, wanted: CreateRequest, *, key: str | None, raw: bytes) -> NewResponse:
    """Give the response its id, its first events, and what the loop needs; check the model and the key."""
    _check_model(desk, wanted.model)
    if key is not None and not 1 <= len(key) <= MAX_KEY:
        raise InvalidRequest(f"The Idempotency-Key header must hold 1 to {MAX_KEY} characters.", code="invalid_value")
    limits, settings = wanted.limits, desk.settings
    return NewResponse(
        id=ids.new("resp"),
        project_id=project_id,
        model=wanted.model,
        body=wanted.body,
        request={
            "sampling": asdict(wanted.sampling),
            "passthrough": wanted.passthrough,
            "max_iterations": limits.max_iterations,
        },
        items=wanted.items,
        page=Page(0, 0, b""),
        previous_response_id=wanted.previous_response_id,
        background=wanted.background,
        store=wanted.store,
        created_at=int(time.time()),
        max_execution_time=limits.max_execution_time or settings.max_execution_time,
        identity=wanted.identity,
        thread=wanted.thread,
        idempotency_key=key,
        request_hash=hashlib.sha256(raw).digest() if key else b"",
    )


def _check_model(desk: Desk, model: str) -> None:
    """Refuse a model that no provider has, before anything is stored."""
    try:
        desk.providers.split(model)
    except UnknownModel as error:
        raise InvalidRequest(str(error), param="model", code="model_not_found") from None


async def accept(desk: Desk, new: NewResponse) -> Accepted:
    """Store the response in one transaction, then send its hint; the row repeats a hint that is lost."""
    created = entry.created(new)
    page = entry.first_page(new, created)
    referring = new.previous_response_id is not None or any(item["type"] == "item_reference" for item in new.items)
    door = db.transaction if referring or new.idempotency_key else db.connection
    async with door(desk.pool) as session:
        if new.idempotency_key and (bound := await store.remember_key(session, new)):
            return _again(new, *bound)
        items = await context.resolve(session, new.project_id, new.items, new.previous_response_id)
        await entry.insert(session, replace(new, items=items, page=page))
    desk.hints.advance(new.id)
    return Accepted(new.id, page, created)


def _again(new: NewResponse, response_id: str, request_hash: bytes) -> Accepted:
    """Join the response that the key made, if it was made of the same body."""
    if request_hash != new.request_hash:
        raise InvalidRequest(
            f"The Idempotency-Key '{new.idempotency_key}' was used before with another body. Use a new key for a new request.",
            code="idempotency_key_reused",
        )
    return Accepted(response_id)
