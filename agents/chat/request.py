"""A chat completion's body as one turn of a model."""

from dataclasses import dataclass
from typing import Any, Final

from agents.chat import options, reading
from agents.chat.messages import items
from agents.models.base import ModelError, ModelRequest, Timeouts
from shared.items import Json

MOST_TOOLS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a body asks for: a turn, how often it is taken, and in which words its calls are told."""

    turn: ModelRequest
    choices: int = 1
    functions: bool = False
    """Whether the client knows calls only as it did before there were tools: one at a time, as `function_call`."""


def read(body: Json, *, model: str, timeouts: Timeouts) -> Asked:
    """Translate a body. Raises ModelError that names the member which is wrong, or which no turn can serve."""
    options.check(body)
    functions = bool(body.get("functions")) and not body.get("tools")
    offered, choice = _narrowed(tools(body), tool_choice(body))
    parallel = reading.optional(body, "parallel_tool_calls", reading.flag)
    turn = ModelRequest(
        model=model,
        items=items(body.get("messages")),
        tools=offered,
        tool_choice=choice,
        parallel_tool_calls=parallel is not False and not functions,
        sampling=options.sampling(body),
        text=text_format(body),
        reasoning=options.reasoning(body),
        passthrough=options.passthrough(body),
        timeouts=timeouts,
    )
    return Asked(turn=turn, choices=options.choices(body), functions=functions)


def text_format(body: Json) -> Json:
    """Read `response_format` and `verbosity` as a response's `text`. Raises ModelError."""
    verbosity = options.verbosity(body)
    form = reading.optional(body, "response_format", reading.record)
    return {
        **({} if verbosity is None else {"verbosity": verbosity}),
        **({} if form is None else {"format": _format(form)}),
    }


def _format(form: Json) -> Json:
    match form.get("type"):
        case "text" | "json_object" as plain:
            return {"type": plain}
        case "json_schema":
            path = "response_format.json_schema"
            given = reading.record(form.get("json_schema"), path)
            made: Json = {"type": "json_schema", "name": reading.text(given.get("name"), f"{path}.name")}
            made["description"] = reading.optional(given, "description", reading.text, within=path)
            made["schema"] = reading.optional(given, "schema", reading.record, within=path) or {}
            made["strict"] = reading.optional(given, "strict", reading.flag, within=path)
            return {name: value for name, value in made.items() if value is not None}
        case _:
            raise reading.wrong("response_format.type", "one of text, json_object and json_schema")


def tools(body: Json) -> list[Json]:
    """Read `tools`, and `functions` as they were called before, as a response's tools. Raises ModelError."""
    given = reading.optional(body, "tools", _listed) or []
    legacy = reading.optional(body, "functions", _listed) or []
    made = [_tool(reading.record(tool, f"tools[{index}]"), f"tools[{index}]") for index, tool in enumerate(given)]
    return made + [_function(function, f"functions[{index}]") for index, function in enumerate(legacy)]


def _listed(value: Any, path: str) -> list[Any]:
    return reading.array(value, path, most=MOST_TOOLS)


def _tool(tool: Json, path: str) -> Json:
    kept = reading.optional(tool, "cache_control", reading.record, within=path)
    marked = {} if kept is None else {"cache_control": kept}
    match tool.get("type"):
        case "function":
            return _function(tool.get("function"), f"{path}.function") | marked
        case "custom":
            return _custom(tool.get("custom"), f"{path}.custom") | marked
        case _:
            raise reading.wrong(f"{path}.type", "function or custom")


def _function(given: Any, path: str) -> Json:
    function = reading.record(given, path)
    parameters = reading.optional(function, "parameters", reading.record, within=path)
    return {
        "type": "function",
        "name": reading.text(function.get("name"), f"{path}.name"),
        "description": reading.optional(function, "description", reading.text, within=path),
        "parameters": parameters or {"type": "object", "properties": {}},
        "strict": reading.optional(function, "strict", reading.flag, within=path),
    }


def _custom(given: Any, path: str) -> Json:
    tool = reading.record(given, path)
    form = reading.optional(tool, "format", reading.record, within=path)
    return {
        "type": "custom",
        "name": reading.text(tool.get("name"), f"{path}.name"),
        "description": reading.optional(tool, "description", reading.text, within=path),
        "format": None if form is None else _input_format(form, f"{path}.format"),
    }


def _input_format(form: Json, path: str) -> Json:
    """Translate the format of a custom tool's input; a grammar lies a level deeper in chats than in responses."""
    match form.get("type"):
        case "text":
            return {"type": "text"}
        case "grammar":
            grammar = reading.record(form.get("grammar"), f"{path}.grammar")
            written = {name: reading.text(grammar.get(name), f"{path}.grammar.{name}") for name in ("syntax", "definition")}
            return {"type": "grammar", **written}
        case _:
            raise reading.wrong(f"{path}.type", "text or grammar")


def tool_choice(body: Json) -> str | Json:
    """Read `tool_choice`, or `function_call` as it was called before, as a response's tool choice. Raises ModelError."""
    name = "function_call" if body.get("tool_choice") is None and body.get("function_call") is not None else "tool_choice"
    match body.get(name):
        case None:
            return "auto"
        case "auto" | "none" | "required" as choice:
            return str(choice)
        case {"type": "allowed_tools"} as choice:
            return _allowed(reading.record(choice.get("allowed_tools"), f"{name}.allowed_tools"), f"{name}.allowed_tools")
        case {"type": "function" | "custom"} as choice:
            return _named(choice, name)
        case {"name": str(called)} if name == "function_call":
            return {"type": "function", "name": called}
        case _:
            raise reading.wrong(name, "auto, none, required, allowed_tools, or a function or custom tool by its name")


def _allowed(given: Json, path: str) -> Json:
    mode = reading.one_of(given.get("mode"), f"{path}.mode", ("auto", "required"))
    listed = _listed(given.get("tools"), f"{path}.tools")
    return {
        "type": "allowed_tools",
        "mode": mode,
        "tools": [_named(tool, f"{path}.tools[{i}]") for i, tool in enumerate(listed)],
    }


def _named(given: Any, path: str) -> Json:
    """Read a tool by its name."""
    tool = reading.record(given, path)
    kind = reading.one_of(tool.get("type"), f"{path}.type", ("function", "custom"))
    member = reading.record(tool.get(kind), f"{path}.{kind}")
    return {"type": kind, "name": reading.text(member.get("name"), f"{path}.{kind}.name")}


def _narrowed(offered: list[Json], choice: str | Json) -> tuple[list[Json], str | Json]:
    """Offer only what may be called, which every provider understands, and make sure that what must be called is offered."""
    if isinstance(choice, str):
        if choice == "required" and not offered:
            raise ModelError("invalid_prompt", "Invalid 'tool_choice': a call is required, but there are no 'tools'.")
        return offered, choice
    wanted = choice["tools"] if choice["type"] == "allowed_tools" else [choice]
    known = {(tool["type"], tool["name"]) for tool in offered}
    for tool in wanted:
        if (tool["type"], tool["name"]) not in known:
            raise ModelError(
                "invalid_prompt", f"Invalid 'tool_choice': there is no {tool['type']} tool '{reading.shown(tool['name'])}'."
            )
    if choice["type"] != "allowed_tools":
        return offered, choice
    names = {(tool["type"], tool["name"]) for tool in wanted}
    return [tool for tool in offered if (tool["type"], tool["name"]) in names], choice["mode"] if names else "none"
