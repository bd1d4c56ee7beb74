"""Decisions on tool calls that wait for approval: each is made once, in the transaction of the response that carries it out."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from psycopg.rows import dict_row

from shared import ids
from shared.db import Session
from shared.entry import NewResponse
from shared.errors import InvalidRequest
from shared.items import Item, Json
from shared.status import ApprovalStatus


class AlreadyDecided(InvalidRequest):
    """The approval was decided before. OpenAI's clients would send a request that meets a 409 again."""

    code = "approval_already_decided"


async def settle(session: Session, new: NewResponse, context: Sequence[Item], parent: Json | None) -> NewResponse:
    """Put what a new response says of waiting calls on record, and add what was decided over HTTP and not carried out yet.

    `context` is all that the response builds on, its own input included. A response that answers for one that was delegated
    takes its place. Raises InvalidRequest for a request that is not in the context, and AlreadyDecided.
    """
    answers = [item for item in new.items if item["type"] == "mcp_approval_response"]
    if not answers:
        return new
    asked = {item["id"] for item in context if item["type"] == "mcp_approval_request"}
    for item in answers:
        if item["approval_request_id"] not in asked:
            raise InvalidRequest(f"No approval request found with id '{item['approval_request_id']}'.", param="input")
    for item in sorted(answers, key=lambda answer: str(answer["approval_request_id"])):
        made = {"approve": item["approve"], "reason": item.get("reason")}
        await decide(session, new.project_id, item["approval_request_id"], made, by=new.id)
    if parent is None:
        return new
    earlier = await not_carried_out(session, new.id, parent["id"])
    family: dict[str, Any] = {name: parent[name] for name in ("parent_id", "parent_call_id", "depth")}
    return replace(new, items=[*new.items, *map(response_item, earlier)], **family)


def response_item(approval: Json) -> Item:
    """Write a decision as the item that a client would send."""
    return {
        "type": "mcp_approval_response",
        "id": ids.new("mcpa"),
        "approval_request_id": approval["id"],
        "approve": approval["status"] == "approved",
        "reason": approval["reason"],
    }


async def decide(session: Session, project_id: str, approval_id: str, decision: Json, *, by: str | None = None) -> None:
    """Put `{approve, reason}` on record, to be carried out `by` a response, or by one to come. Raises AlreadyDecided.

    A request that a client keeps by itself has no row, and is its own affair. Decide many in the order of their ids, as nobody
    then waits for somebody who waits for him.
    """
    status = ApprovalStatus.APPROVED if decision["approve"] else ApprovalStatus.DENIED
    decided = await session.execute(
        """UPDATE approvals SET status = %s, reason = %s, decided_at = now(), continued_by = %s
            WHERE id = %s AND project_id = %s AND status = 'pending' RETURNING 1""",
        (status, decision.get("reason"), by, approval_id, project_id),
    )
    if await decided.fetchone():
        return
    known = await session.execute("SELECT status FROM approvals WHERE id = %s AND project_id = %s", (approval_id, project_id))
    if (row := await known.fetchone()) is not None:
        raise AlreadyDecided(
            f"The approval request '{approval_id}' was {row[0]} before.", param="input" if by else "approval_id"
        )


async def not_carried_out(session: Session, new_id: str, response_id: str) -> Collection[Json]:
    """Take the decisions on a response's calls that nothing carries out yet, for a new response to do so."""
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """UPDATE approvals SET continued_by = %s WHERE response_id = %s AND status <> 'pending' AND continued_by IS NULL
            RETURNING id, status, reason""",
            (new_id, response_id),
        )
        return await cursor.fetchall()
