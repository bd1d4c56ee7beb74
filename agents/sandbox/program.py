"""What is fed to Monty: the program, changed so that its value stays inside until it has become a bounded text.

A value that crossed as it is could be a few bytes there and gigabytes here: a list of a thousand references to one list, twice.
"""

import json
from typing import Any, Final

import orjson

from agents.sandbox.base import MAX_OUTPUT, cut

VALUE: Final = "_rondo_value"

PROLOGUE: Final = """\
import json as _rondo_json
_rondo_print, _rondo_repr = print, repr
def _rondo_shown(value):
    try:
        return _rondo_json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return _rondo_repr(value)
"""
"""Fed before the program, which may give these names another meaning."""

EPILOGUE: Final = f"""\
try:
    {VALUE}
except NameError:
    {VALUE} = None
if {VALUE} is None:
    try:
        {VALUE} = result
    except NameError:
        pass
_rondo_print(_rondo_shown({VALUE})[:{MAX_OUTPUT + 1}], end="")
None
"""
"""Fed after the program: prints its value."""


def capturing(code: str) -> str | None:
    """Return the program with its last expression assigned, on the same lines; None if it seems to end with none.

    It is a guess about text: where it is wrong, the outcome is no valid program, for `pass` can stand inside no expression.
    """
    lines = code.rstrip().splitlines()
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number]
        if not line.strip() or line[0] in " \t)]}#":
            continue
        return "\n".join([*lines[:number], f"pass; {VALUE} = ({line}", *lines[number + 1 :], ")"])
    return None


def valueless(code: str) -> str:
    """Return the program so that it ends with no value; an open bracket at its end stays open."""
    return f"{code}\n\nNone\n"


def value(text: str) -> Any:
    """Return the JSON value that the text is, or else the text, cut to its bound."""
    if len(text) > MAX_OUTPUT:
        return cut(text)
    try:
        found = json.loads(text, parse_constant=_no_number)
        orjson.dumps(found)  # which knows no integer of more than 64 bits and no half of a character
    except (ValueError, TypeError, RecursionError):
        return text
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON.")
