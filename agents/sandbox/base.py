"""What a sandbox promises: a program of a stranger runs to its end or to its bounds, and touches nothing but its inputs."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from shared.items import Json

MAX_OUTPUT: Final = 40_000
"""Characters that are kept of what a program prints, and of its value."""

DIALECT: Final = (
    "a subset of Python 3.14. Functions and their decorators, closures, comprehensions, f-strings, `match`, `try`, `with`, "
    "`async`/`await`, plain classes and dataclasses work. There are no generators (`yield`), no class inheritance (so no "
    "exceptions of your own), no decorated methods (`property`, `staticmethod`), no `del`, `dir` or `input`. Only these "
    "modules can be imported: asyncio, base64, binascii, bisect, collections, copy, csv, dataclasses, datetime, decimal, "
    "functools, hashlib, itertools, json, math, random, re, time, tomllib, typing, unicodedata. There is no numpy, pandas or "
    "statistics, and nothing can be installed. There are no files, no network, no environment and no "
    "processes. `time.sleep` does not wait"
)
"""What a program may be written in, told to models and to people who save tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a program ended."""

    value: Any = None
    """The value of its last expression, else of its variable `result`: a JSON value, or a text that shows another value."""
    output: str = ""
    """What it printed; if that was too long, the beginning and a note."""
    error: str | None = None
    """Why it failed, with the lines of the program that led there."""


class SandboxUnavailable(Exception):
    """No sandbox could run the program, or the one that did broke down."""


class Sandbox(Protocol):
    """Runs programs of strangers."""

    async def run(self, code: str, *, inputs: Json, seconds: float) -> Ran:
        """Run a program whose variables are the `inputs`, JSON values, for so many `seconds` at most.

        Nothing of one run is left for another. A faulty program is an outcome; what is not its fault raises
        `SandboxUnavailable`.
        """

    async def aclose(self) -> None:
        """Stop whatever runs."""


def cut(text: str, *, limit: int = MAX_OUTPUT) -> str:
    """Return the text, or, if it is longer than `limit` characters, its beginning and a note."""
    return text if len(text) <= limit else f"{text[:limit]}\n[Truncated: these are the first {limit} characters.]"
