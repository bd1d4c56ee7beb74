"""Sandboxes that protect nothing: what is dangerous must succeed in them, else a test of the real one shows nothing."""

import asyncio
import json
import resource
import sys
from typing import Any

from agents.sandbox.base import Ran
from shared.items import Json

PATIENCE = 2.5
"""Seconds after which a program is believed to run for ever."""
ENDLESS = "It ran on."

_MAIN = """
import ast, json, sys
given = json.loads(sys.stdin.readline())
*body, last = ast.parse(given["code"]).body
names = dict(given["inputs"])
value = None
try:
    if isinstance(last, ast.Expr):
        exec(compile(ast.Module(body, []), "program", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "program", "eval"), names)
    else:
        exec(given["code"], names)
except Exception as fault:
    sys.stderr.write(f"{type(fault).__name__}: {fault}")
    sys.exit(1)
sys.stdout.write("\\0" + json.dumps(value, default=repr))
"""


class Exec:
    """Executes a program in a process of the same user, without any bounds but those that save the machine."""

    async def run(self, code: str, *, inputs: Json, seconds: float) -> Ran:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _MAIN),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_save_the_machine,
        )
        given = json.dumps({"code": code, "inputs": inputs}).encode()
        try:
            async with asyncio.timeout(max(PATIENCE, seconds)):
                out, fault = await process.communicate(given)
        except TimeoutError:
            process.kill()
            await process.communicate()
            return Ran(error=ENDLESS)
        printed, _, value = out.decode().partition("\0")
        return Ran(output=printed, value=json.loads(value) if value else None, error=fault.decode() or None)

    async def aclose(self) -> None:
        """There is nothing to stop."""


class Kept:
    """Executes every program among the names that the one before it left."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {}

    async def run(self, code: str, *, inputs: Json, seconds: float) -> Ran:
        self._names |= inputs
        exec(code, self._names)
        return Ran(value=self._names.get("result"))

    async def aclose(self) -> None:
        """There is nothing to stop."""


def _save_the_machine() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
