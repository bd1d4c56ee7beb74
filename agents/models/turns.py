"""Responses items as alternating turns, for wires on which a call must be answered in the very next turn."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import orjson

from shared.items import CALL_OUTPUTS, CALLS, Item, Json, text_of

SYSTEM: Final = frozenset({"system", "developer"})
"""The roles whose messages are instructions, wherever they stand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A call and its output; None if it has none."""

    call: Item
    output: Item | None


@dataclass(slots=True)
class UserTurn:
    """What the user said, after the answers to the calls of the turn before."""

    answers: list[Answer] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)


@dataclass(slots=True)
class ModelTurn:
    """What the model put out: messages, reasoning and calls, in their order."""

    items: list[Item] = field(default_factory=list)


Turn: TypeAlias = UserTurn | ModelTurn
Side: TypeAlias = Literal["user", "model"]

_SIDES: Final[dict[str, Side]] = {"user": "user", "assistant": "model"}


def system(instructions: str | None, items: Iterable[Item]) -> list[str]:
    """Collect the instructions and the texts of system and developer messages, in order, the empty ones left out."""
    told = (text_of(item) for item in items if item.get("role") in SYSTEM)
    return [text for text in (instructions or "", *told) if text.strip()]


def arguments(text: str) -> Json:
    """Read a call's arguments as an object, as some wires want them; what the model got wrong is shown to it as it was."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    return value if isinstance(value, dict) else {"invalid": text}


def alternate(items: Iterable[Item]) -> list[Turn]:
    """Group items into turns of alternating sides.

    The calls of a model's turn are answered at the head of the user's turn that follows, wherever their outputs stood.
    System messages are left to `system`; outputs without a call and items that only one wire knows are left out.
    """
    items = list(items)
    outputs = {item["call_id"]: item for item in items if item.get("type") in CALL_OUTPUTS}
    taken: list[Turn] = []
    for item in items:
        side = _side(item)
        if side == "model":
            _model_turn(taken).items.append(item)
        elif side == "user":
            _user_turn(taken, outputs).items.append(item)
        elif item.get("type") in CALL_OUTPUTS and _unanswered(taken):
            _user_turn(taken, outputs)
    if _unanswered(taken):
        _user_turn(taken, outputs)
    return taken


def _side(item: Item) -> Side | None:
    """Tell who says an item; None for one that is not said in a turn."""
    kind = item.get("type") or "message"
    if kind == "message":
        return _SIDES.get(item.get("role", ""))
    return "model" if kind == "reasoning" or kind in CALLS else None


def _model_turn(taken: list[Turn]) -> ModelTurn:
    """Return the model's open turn, or begin one."""
    last = taken[-1] if taken else None
    if isinstance(last, ModelTurn):
        return last
    turn = ModelTurn()
    taken.append(turn)
    return turn


def _user_turn(taken: list[Turn], outputs: dict[str, Item]) -> UserTurn:
    """Return the user's open turn, or begin one with the answers to the model's last calls."""
    last = taken[-1] if taken else None
    if isinstance(last, UserTurn):
        return last
    turn = UserTurn([Answer(call, outputs.get(call["call_id"])) for call in _unanswered(taken)])
    taken.append(turn)
    return turn


def _unanswered(taken: list[Turn]) -> list[Item]:
    """List the calls of the last turn, if it is the model's."""
    last = taken[-1] if taken else None
    return [item for item in last.items if item.get("type") in CALLS] if isinstance(last, ModelTurn) else []
