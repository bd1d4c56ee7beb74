"""The tools that workers run, by type, and the one way to run them."""

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from agents.tools.base import Call, Tool, ToolError
from agents.tools.clock import Clock
from agents.tools.code import CodeInterpreter, SavedCode
from agents.tools.delegates import DELEGATES, Agents, Delegate
from agents.tools.http import Http
from agents.tools.mcp import Mcp
from agents.tools.web_fetch import WebFetch
from agents.tools.web_search import WebSearch
from shared.items import Json

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

TOOLS: Final[dict[str, Tool]] = {
    "orq:current_date": Clock(),
    "orq:datetime": Clock(),
    "orq:code": SavedCode(),
    "orq:code_interpreter": CodeInterpreter(),
    "orq:retrieve_agents": Agents(),
    "orq:http": Http(),
    "orq:web_fetch": WebFetch(),
    "orq:web_scraper": WebFetch(),
    "orq:web_search": WebSearch(),
    "orq:google_search": WebSearch(),
    "mcp": Mcp(),
}

MAX_RESULT: Final = 100_000
"""Characters of a result that a model is given."""

MAX_ERROR: Final = 8_000
"""Characters of an error."""


def model_name(tool_type: str) -> str:
    """Name a tool for models, which allow no colon: `orq:current_date` is `orq_current_date`."""
    return tool_type.replace(":", "_")


def known(tool_type: str) -> bool:
    """Say whether workers serve this type."""
    return tool_type in TOOLS or tool_type in DELEGATES


def lookup(tool_type: str) -> Tool | Delegate:
    """Return what serves a type; raises `KeyError` for an unknown one."""
    return DELEGATES[tool_type] if tool_type in DELEGATES else TOOLS[tool_type]


async def run(spec: Json, arguments: str, call: Call) -> Any:
    """Run a tool on its JSON arguments, and return a JSON value of bounded size.

    The spec's `configuration` is merged over the arguments. Raises `ToolError` for an unknown tool, arguments that do not
    fit, a timeout, or a failure that the tool explains.
    """
    tool = TOOLS.get(spec["type"])
    if tool is None:
        raise ToolError(f"There is no tool {spec['type']!r}.")
    checked = _configured(spec, arguments) if spec["type"] == "mcp" else read(spec, tool, arguments)
    try:
        async with asyncio.timeout(call.timeout):
            result = await tool.run(spec, checked, call)
    except TimeoutError as error:
        raise ToolError(f"The tool took longer than {call.timeout:g} seconds and was stopped.") from error
    return bounded(call.scrubber.value(result) if call.scrubber else result)


def bounded(result: Any, *, limit: int = MAX_RESULT) -> Any:
    """Return the result, or, if its text is longer than `limit` characters, the beginning of it and a note."""
    text = result if isinstance(result, str) else orjson.dumps(result).decode()
    if len(text) <= limit:
        return result
    return f"{text[:limit]}\n[Truncated: these are the first {limit} of {len(text)} characters.]"


def read(spec: Json, tool: Tool | Delegate, arguments: str) -> Json:
    """Read a call's arguments, and hold them against the tool's schema. Raises `ToolError`.

    An MCP server checks its own.
    """
    value = _configured(spec, arguments)
    validator = _validator(orjson.dumps(tool.offer(spec).parameters))
    faults = sorted(validator.iter_errors(value), key=lambda fault: list(map(str, fault.path)))
    if faults:
        listed = "; ".join(f"{fault.json_path}: {fault.message}" for fault in faults[:5])
        raise ToolError(f"The arguments do not fit the tool's parameters: {listed}.")
    return value


def _configured(spec: Json, arguments: str) -> Json:
    """Merge what is configured over what the model said."""
    try:
        value = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError as error:
        raise ToolError(f"The arguments are not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ToolError("The arguments must be a JSON object.")
    return value | (spec.get("configuration") or {})


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> "Validator":
    from jsonschema import Draft202012Validator  # noqa: PLC0415  # costs a process that runs no tools 60 ms

    return Draft202012Validator(orjson.loads(schema))
