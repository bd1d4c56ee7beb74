"""Input items, accepted as liberally as clients send them, and returned with an id, a type and parts instead of strings.

Members that no schema lists are kept: clients send back what they were sent, and expect it to come through.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from api.create import check, parts
from api.create.check import Check
from api.create.server_tools import BUILT_IN
from shared import ids
from shared.items import Item, Json, Part

ROLES: Final = ("assistant", "system", "developer", "user")
STATUSES: Final = ("in_progress", "completed", "incomplete")

_id = partial(check.string, most=256)
_name = partial(check.string, least=1, most=256)
_status = partial(check.choice, allowed=STATUSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What an item of one type must hold, how an id that is missing begins, and what clients read although few send it."""

    prefix: str
    required: tuple[str, ...]
    members: Mapping[str, Check]
    defaults: Mapping[str, Any]


def _kind(
    prefix: str, *, optional: Mapping[str, Check] | None = None, defaults: Mapping[str, Any] | None = None, **required: Check
) -> Kind:
    """Describe one item type; further keyword arguments are its required members."""
    members: dict[str, Check] = {"id": _id, **required, **(optional or {})}
    return Kind(prefix=prefix, required=tuple(required), members=members, defaults=defaults or {})


def parse(value: Any, path: str) -> list[Item]:
    """Check a request's input: a list of items, or a string, which is one user message and nothing if it is empty."""
    if type(value) is str:
        content = parts.user_text(value, path)
        return [_message_of("user", content)] if value else []
    return check.array(value, path, of=item, expected="one of a string or array of objects")


def item(value: Any, path: str) -> Item:
    """Check one item: a message if it has a role but no type, a reference if it is only an id."""
    given = check.mapping(value, path)
    kind = given.get("type")
    if kind is None:
        kind = _implied(given, path)
    check.choice(kind, f"{path}.type", allowed=KINDS)
    match kind:
        case "message":
            return _message(given, path)
        case "item_reference":
            return {"type": kind, "id": check.record(given, path, members=_REFERENCE, required=("id",), closed=False)["id"]}
        case _:
            return _other(given, path, KINDS[kind], kind)


def _implied(given: Json, path: str) -> str:
    """Tell the type of an item that does not name it."""
    if "role" in given:
        return "message"
    if given.keys() <= {"id", "type"} and "id" in given:
        return "item_reference"
    raise check.missing(f"{path}.type")


def _message(given: Json, path: str) -> Item:
    """A message of any role, its content a list of parts."""
    role = given.get("role")
    if role is None:
        raise check.missing(f"{path}.role")
    check.choice(role, f"{path}.role", allowed=ROLES)
    if "content" not in given:
        raise check.missing(f"{path}.content")
    message = _other(given, path, KINDS["message"], "message")
    message["content"] = parts.content(given["content"], f"{path}.content", role=role)
    return message


def _message_of(role: str, content: list[Part]) -> Item:
    return {"type": "message", "id": ids.new("msg"), "status": "completed", "role": role, "content": content}


def _other(given: Json, path: str, kind: Kind, type_: str) -> Item:
    """Any item with its required members, an id, and the members that clients read."""
    checked = check.record(given, path, members=kind.members, required=kind.required, closed=False)
    checked["type"] = type_
    if not checked.get("id"):
        checked["id"] = ids.new(kind.prefix)
    for name, value in kind.defaults.items():
        if checked.get(name) is None:
            checked[name] = copy(value)
    return checked


_objects = partial(check.array, of=check.mapping)
_texts = partial(
    check.array,
    of=partial(check.record, members={"text": check.string}, required=("text",), closed=False),
    most=10_000,
)
_STATUS: Final = {"status": "completed"}
_CALL: Final[Mapping[str, Check]] = {"namespace": _id, "status": _status}
_REFERENCE: Final[Mapping[str, Check]] = {"id": _name}

KINDS: Final[Mapping[str, Kind]] = {
    "message": _kind("msg", optional={"status": _status}, defaults=_STATUS),
    "item_reference": _kind("item", id=_name),
    "function_call": _kind("fc", call_id=_name, name=_name, arguments=check.string, optional=_CALL, defaults=_STATUS),
    "function_call_output": _kind("fco", call_id=_name, output=parts.output, optional=_CALL, defaults=_STATUS),
    "custom_tool_call": _kind("ctc", call_id=_name, name=_name, input=check.string, optional=_CALL),
    "custom_tool_call_output": _kind("ctco", call_id=_name, output=parts.output),
    "reasoning": _kind(
        "rs",
        optional={"encrypted_content": check.string, "summary": _texts, "content": _texts},
        defaults={"summary": []},
    ),
    "compaction": _kind("cmp", encrypted_content=check.string),
    "compaction_trigger": _kind("cmpt"),
    "web_search_call": _kind("ws"),
    "file_search_call": _kind("fs"),
    "code_interpreter_call": _kind("ci"),
    "image_generation_call": _kind("ig"),
    "computer_call": _kind("cu", call_id=_name),
    "computer_call_output": _kind("cuo", call_id=_name, output=check.mapping),
    "local_shell_call": _kind("lsh", call_id=_name, action=check.mapping),
    "local_shell_call_output": _kind("lsho", output=check.string),
    "shell_call": _kind("sh", call_id=_name, action=check.mapping),
    "shell_call_output": _kind("sho", call_id=_name, output=_objects),
    "apply_patch_call": _kind("apc", call_id=_name, operation=check.mapping),
    "apply_patch_call_output": _kind("apco", call_id=_name),
    "tool_search_call": _kind("tsc"),
    "tool_search_output": _kind("tso", tools=_objects),
    "additional_tools": _kind("at", tools=_objects),
    "mcp_list_tools": _kind("mcpl", server_label=_name, tools=_objects),
    "mcp_call": _kind("mcp", server_label=_name, name=_name, arguments=check.string),
    "mcp_approval_request": _kind("mcpr", server_label=_name, name=_name, arguments=check.string),
    "mcp_approval_response": _kind("mcpa", approval_request_id=_name, approve=check.boolean),
    "program": _kind("prog", call_id=_name),
    "program_output": _kind("progo", call_id=_name),
    "multi_agent_call": _kind("mac", call_id=_name),
    "multi_agent_call_output": _kind("maco", call_id=_name),
    "agent_message": _kind("am"),
    "configuration_update": _kind("cfg"),
    **dict.fromkeys(
        (*BUILT_IN, "orq:http", "orq:code", "orq:retrieve_agents", "orq:call_sub_agent"), _kind("orq", call_id=_name)
    ),
}
"""Every item type that a client may send. `orq:` items are results of server tools, sent back by clients that keep history."""
