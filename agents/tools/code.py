"""Python that a model wrote (`orq:code_interpreter`) or that somebody saved (`orq:code`), in the sandbox."""

import keyword
from typing import Any, Final

from agents.sandbox.base import DIALECT, Ran, SandboxUnavailable
from agents.tools.base import Call, Effect, Function, Queue, ToolError, ToolUnavailable
from shared.items import Json

TIMEOUT: Final = 30.0
LONGEST: Final = 120.0
"""Seconds that a program may be given."""
MARGIN: Final = 1.0
"""Seconds by which a program is stopped before its call is, so that what it printed is not lost."""


class CodeInterpreter:
    """`orq:code_interpreter`."""

    queue: Queue = "code"

    def offer(self, spec: Json, /) -> Function:
        """Offer one argument, the program."""
        return Function(name=str(spec["type"]).replace(":", "_"), description=_ABOUT, parameters=_PARAMETERS)

    def effect(self, _: Json, /) -> Effect:
        """A program reaches nothing outside of its sandbox."""
        return "idempotent"

    def timeout(self, spec: Json, /) -> float:
        """As long as the spec says, within bounds."""
        return _timeout(spec)

    async def run(self, _: Json, arguments: Json, call: Call, /) -> Any:
        """Return what the program printed, and its value."""
        ran = await _run(arguments["code"], {}, call)
        return {"output": ran.output, "result": ran.value}


class SavedCode:
    """`orq:code`: a program of the catalogue, whose variables are the model's arguments.

    `arguments` holds them all together. `variables` and `secrets` hold those of the response's variables that the tool's
    definition grants it by name, in lists of these names; each is also a variable of its own, unless an argument has its name.
    """

    queue: Queue = "code"

    def offer(self, spec: Json, /) -> Function:
        """Offer what the definition says."""
        parameters = spec["code_tool"].get("parameters") or {"type": "object", "properties": {}}
        return Function(name=spec["name"], description=spec.get("description") or spec["name"], parameters=parameters)

    def effect(self, _: Json, /) -> Effect:
        """A program reaches nothing outside of its sandbox."""
        return "idempotent"

    def timeout(self, spec: Json, /) -> float:
        """As long as the spec says, within bounds."""
        return _timeout(spec)

    async def run(self, spec: Json, arguments: Json, call: Call, /) -> Any:
        """Return the program's value, or what it printed if it has none."""
        tool = spec["code_tool"]
        variables, secrets = (_granted(tool.get(kind) or [], call) for kind in ("variables", "secrets"))
        named = {"variables": variables, "secrets": secrets, "arguments": arguments}
        own = {name: value for name, value in {**variables, **secrets, **arguments}.items() if _is_variable(name)}
        ran = await _run(tool["code"], {**own, **named}, call)
        return ran.output if ran.value is None and ran.output else ran.value


def _timeout(spec: Json) -> float:
    return min(max(float(spec.get("timeout") or TIMEOUT), 1.0), LONGEST)


def _is_variable(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _granted(names: list[str], call: Call) -> Json:
    """Pick variables of the response; raises `ToolError` for one that it does not have."""
    missing = [name for name in names if name not in call.variables]
    if missing:
        raise ToolError(f"The tool needs variables that are not there: {', '.join(missing)}.")
    return {name: call.variables[name] for name in names}


async def _run(code: str, inputs: Json, call: Call) -> Ran:
    """Run a program; raises `ToolError` with its fault and what it had printed, `ToolUnavailable` if no sandbox could."""
    seconds = max(call.timeout - MARGIN, call.timeout / 2)
    try:
        ran = await call.box.sandbox.run(code, inputs=inputs, seconds=seconds)
    except SandboxUnavailable as error:
        raise ToolUnavailable(str(error)) from error
    if ran.error is not None:
        raise ToolError(f"{ran.error}\n\nPrinted until then:\n{ran.output}" if ran.output else ran.error)
    return ran


_ABOUT: Final = (
    f"Run a Python program, and get what it prints and the value of its last expression. The language is {DIALECT}. "
    "Nothing is kept from one call to the next, so give each call the whole program."
)
_PARAMETERS: Final[Json] = {
    "type": "object",
    "properties": {"code": {"type": "string", "minLength": 1, "maxLength": 100_000, "description": "The program."}},
    "required": ["code"],
    "additionalProperties": False,
}
