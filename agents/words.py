"""Templates and the variables they are rendered with: what a model reads now, what tools will need later."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agents import specs, templates
from agents.plan import Engine
from agents.secrets import Secrets
from agents.templates import TemplateError
from shared.items import Item, Json


class Unresolvable(ValueError):
    """The request and what it refers to do not make a plan."""

    def __init__(self, message: str, *, param: str | None = None, code: str = "invalid_value") -> None:
        """`message` is one sentence for the client."""
        self.message = message
        self.param = param
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Words:
    """What templates are rendered with."""

    engine: Engine
    variables: Mapping[str, Any]
    secret: frozenset[str]

    def render(self, template: str, where: str) -> str:
        """Render a text that a model reads: a secret's placeholder stays."""
        try:
            return templates.render(template, self.variables, engine=self.engine, where=where, secret=self.secret)
        except TemplateError as error:
            raise _fault(error, where) from error

    def require(self, template: str, where: str, *, beside: frozenset[str], hidden: bool = False) -> None:
        """Make sure that a template of a tool will find its variables; those `beside` are the tool's own arguments.

        What is wrong with a `hidden` template is not told, as it would be a part of it.
        """
        try:
            used = templates.names(template, engine=self.engine)
        except TemplateError as error:
            shown = templates.TemplateFault("What is wrong with it is not told, as it is secret.", where) if hidden else error
            raise _fault(shown, where) from None
        self.require_all(sorted(name for name in used if name.split(".")[0] not in beside), where)

    def require_all(self, names: Iterable[str], where: str) -> None:
        """Make sure that there are variables of these names, which may be dotted."""
        for name in names:
            if name.split(".")[0] not in self.variables:
                raise _fault(templates.MissingVariable(name, where), where)


def _fault(error: TemplateError, where: str) -> Unresolvable:
    code = "missing_variable" if isinstance(error, templates.MissingVariable) else "invalid_template"
    return Unresolvable(str(error), param=where, code=code)


def rendered(item: Item, words: Words, index: int) -> Item:
    """Render the texts of a message; other items are what programs said."""
    if item["type"] != "message" or item.get("role") == "assistant" or not isinstance(item.get("content"), list):
        return item
    content = [
        {**part, "text": words.render(part["text"], f"input[{index}].content[{number}].text")}
        if part.get("type") == "input_text"
        else part
        for number, part in enumerate(item["content"])
    ]
    return {**item, "content": content}


def check_names(tools: list[Json]) -> None:
    """Refuse two tools of one name, or two servers of one label: the model could mean only one of them."""
    seen: set[tuple[bool, str]] = set()
    for tool in tools:
        name = specs.called(tool) or tool.get("server_label") or tool["type"]
        if (tool["type"] == "mcp", name) in seen:
            raise Unresolvable(
                f"There are two tools named '{name}', counting those of the agent. Names of tools must be unique.",
                param="tools",
            )
        seen.add((tool["type"] == "mcp", name))


def check_templates(tools: list[Json], words: Words, secrets: Secrets) -> None:
    """Make sure that what is rendered when a tool is used can be: a run must not fail after hours by a missing variable."""
    for index, tool in enumerate(tools):
        where = f"tools[{index}]"
        match tool["type"]:
            case "orq:http":
                _check_request(tool["http"], f"{where}.http", words, secrets)
            case "mcp":
                for member in ("server_url", "headers", "authorization"):
                    _check_texts(tool[member], f"{where}.{member}", words, secrets, beside=frozenset())
            case "orq:code":
                granted = (*tool["code_tool"].get("variables", ()), *tool["code_tool"].get("secrets", ()))
                words.require_all(granted, f"{where}.code_tool")
            case _:
                continue


def _check_request(http: Json, where: str, words: Words, secrets: Secrets) -> None:
    """Check an HTTP tool: what the model does not give, and has no default, must be a variable."""
    arguments: Json = http.get("arguments") or {}
    _check_texts(http["blueprint"], f"{where}.blueprint", words, secrets, beside=frozenset(arguments))
    configured = [name for name, one in arguments.items() if one.get("send_to_model") is False]
    words.require_all([name for name in configured if arguments[name].get("default_value") is None], f"{where}.arguments")


def _check_texts(value: Any, where: str, words: Words, secrets: Secrets, *, beside: frozenset[str]) -> None:
    """Check every string of a JSON value."""
    match value:
        case {"secret": str()} if isinstance(text := secrets.opened(value), str):
            words.require(text, where, beside=beside, hidden=True)
        case str(text):
            words.require(text, where, beside=beside)
        case dict(members):
            for name, each in members.items():
                _check_texts(each, f"{where}.{name}", words, secrets, beside=beside)
        case list(elements):
            for index, each in enumerate(elements):
                _check_texts(each, f"{where}[{index}]", words, secrets, beside=beside)
        case _:
            return
