"""The messages of a chat as items: what was said, thought, called and answered."""

from functools import partial
from typing import Any, Final

from agents.chat import parts, reading
from agents.models.base import ModelError
from shared.items import Item, Json, Part

MOST: Final = 10_000
"""Messages of one chat, and calls of one message."""


def items(messages: Any) -> list[Item]:
    """Translate a chat's messages. Raises ModelError that names what is wrong.

    What a provider wants back of its reasoning is found where `deltas` put it: in `reasoning_signature` and the calls'
    `thought_signature`; `redacted_reasoning` is read too. Reasoning in plain text, `name` and what else clients send along
    with a message say nothing to a model, and are left out.
    """
    listed = reading.array(messages, "messages", most=MOST)
    if not listed:
        raise reading.wrong("messages", "at least one message")
    calls = _Calls()
    return [item for index, given in enumerate(listed) for item in _message(given, f"messages[{index}]", calls)]


class _Calls:
    """The calls so far. Ids are made unique, because what answers a call is found by its id alone."""

    def __init__(self) -> None:
        self._known: dict[str, Item] = {}
        self._ids: set[str] = set()

    def begin(self, given: str, item: Item) -> Item:
        """Note a call by the id that the client gave it; give it one that no call before has."""
        unique, again = given, 1
        while unique in self._ids:
            again += 1
            unique = f"{given}_{again}"
        self._ids.add(unique)
        self._known[given] = item
        item["call_id"] = unique
        return item

    def last(self, given: str, path: str) -> Item:
        """Find the last call of an id."""
        if given not in self._known:
            raise ModelError(
                "invalid_prompt",
                f"Invalid '{path}': it must follow the assistant's message that makes the call '{reading.shown(given)}'.",
            )
        return self._known[given]


def _message(given: Any, path: str, calls: _Calls) -> list[Item]:
    message = reading.record(given, path)
    match message.get("role"):
        case "system" | "developer" | "user" as role:
            return [{"type": "message", "role": role, "content": parts.told(message.get("content"), f"{path}.content")}]
        case "assistant":
            return [*_thoughts(message, path), *_said(message, path), *_called(message, path, calls)]
        case "tool":
            return [_output(message, path, calls, reading.text(message.get("tool_call_id"), f"{path}.tool_call_id"))]
        case "function":
            return [_output(message, path, calls, _id_of(reading.text(message.get("name"), f"{path}.name")))]
        case _:
            raise reading.wrong(f"{path}.role", "one of system, developer, user, assistant, tool and function")


def _thoughts(message: Json, path: str) -> list[Item]:
    """Collect the reasoning that precedes a turn's words."""
    sealed = reading.optional(message, "reasoning_signature", reading.text, within=path) or ""
    redacted = message.get("redacted_reasoning")
    if isinstance(redacted, str):
        sealed = f"{sealed} {redacted}"
    return [_reasoning(one) for one in sealed.split()]


def _reasoning(sealed: str) -> Item:
    return {"type": "reasoning", "summary": [], "encrypted_content": sealed}


def _said(message: Json, path: str) -> list[Item]:
    if message.get("audio"):
        raise ModelError("invalid_prompt", f"Unsupported value: '{path}.audio': there are no sounds to refer to here.")
    said: list[Part] = parts.said(message.get("content"), f"{path}.content")
    if refusal := reading.optional(message, "refusal", reading.text, within=path):
        said.append({"type": "refusal", "refusal": refusal})
    return [{"type": "message", "role": "assistant", "content": said}] if said else []


def _called(message: Json, path: str, calls: _Calls) -> list[Item]:
    """Translate a turn's calls, each after the reasoning that belongs to it."""
    made: list[Item] = []
    given = reading.optional(message, "tool_calls", partial(reading.array, most=MOST), within=path) or []
    for index, value in enumerate(given):
        where = f"{path}.tool_calls[{index}]"
        call = reading.record(value, where)
        sealed = reading.optional(call, "thought_signature", reading.text, within=where)
        made.extend(_reasoning(one) for one in (sealed or "").split())
        made.append(calls.begin(reading.text(call.get("id"), f"{where}.id"), _call(call, where)))
    if legacy := reading.optional(message, "function_call", reading.record, within=path):
        item = _function(legacy, f"{path}.function_call")
        made.append(calls.begin(_id_of(item["name"]), item))
    return made


def _call(call: Json, path: str) -> Item:
    if call.get("type") != "custom":
        return _function(reading.record(call.get("function"), f"{path}.function"), f"{path}.function")
    given = reading.record(call.get("custom"), f"{path}.custom")
    name, written = (reading.text(given.get(member), f"{path}.custom.{member}") for member in ("name", "input"))
    return {"type": "custom_tool_call", "name": name, "input": written}


def _function(given: Json, path: str) -> Item:
    name, written = (reading.text(given.get(member), f"{path}.{member}") for member in ("name", "arguments"))
    return {"type": "function_call", "name": name, "arguments": written}


def _id_of(function: str) -> str:
    """Make an id for a call of the days when a turn had one at most, and no id."""
    return f"call_{function}"


def _output(message: Json, path: str, calls: _Calls, given: str) -> Item:
    """Translate a tool's answer."""
    call = calls.last(given, path)
    content = message.get("content")
    output = content if isinstance(content, str) else parts.told(content or [], f"{path}.content")
    return {"type": f"{call['type']}_output", "call_id": call["call_id"], "output": output}
