"""What a program gives back: its value, what it printed, or its fault in its own words and lines."""

import asyncio
from typing import Any

import pydantic_monty
import pytest

from agents.sandbox import faults
from agents.sandbox.base import MAX_OUTPUT, Ran
from agents.sandbox.monty import Monty


def run(code: str, **inputs: Any) -> Ran:
    async def main() -> Ran:
        sandbox = Monty(processes=1, memory=64 << 20)
        try:
            return await sandbox.run(code, inputs=inputs, seconds=5)
        finally:
            await sandbox.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 1", 2),
        ("x = {'a': [1, 2.5, None, 'é']}\nx  # said twice\n\n# the end", {"a": [1, 2.5, None, "é"]}),
        ("sum(\n    [1, 2]\n)", 3),
        ("text = '''\none\ntwo'''\ntext", "\none\ntwo"),
        ("async def f():\n    return 3\n\nawait f()", 3),
        ("(1, 2)", [1, 2]),
        ("result = 7", 7),
        ("result = 7\nprint(result)", 7),
        ("result = 7\n8", 8),
        ("for n in range(3):\n    result = n", 2),
        ("text = '''\none\n'''", None),
        ("def f(**rest):\n    return 0\n\nx = f(\na=\n1\n)", None),
        ("if True:\n    5", None),
        ("", None),
    ],
)
def test_the_value_is_that_of_the_last_expression_or_of_result(code: str, value: Any) -> None:
    assert run(code) == Ran(value=value, output=run(code).output)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("{1}", "{1}"),
        ("float('nan')", "NaN"),
        ("2 ** 100", "1267650600228229401496703205376"),
        ("b'a'", "b'a'"),
        ("import math\nmath", "<module 'math'>"),
    ],
)
def test_a_value_that_is_no_json_is_shown(code: str, shown: str) -> None:
    assert run(code).value == shown


def test_a_program_may_use_the_names_that_show_its_value() -> None:
    assert run("print = json = repr = str = 3\nprint").value == 3


def test_a_value_that_cannot_be_shown_is_a_fault() -> None:
    assert "4300 digits" in str(run("10 ** 6000").error)


def test_what_is_printed_is_kept_beside_the_value() -> None:
    assert run("print('a', 1)\nprint('b')\n5") == Ran(value=5, output="a 1\nb\n")


def test_a_program_without_a_value_prints_once() -> None:
    assert run("print('a')\nx = 1") == Ran(output="a\n")


def test_what_was_printed_before_a_fault_is_kept() -> None:
    assert run("print('a')\n1 / 0").output == "a\n"


def test_a_long_output_is_cut_and_says_so() -> None:
    end = f"\n[Truncated: these are the first {MAX_OUTPUT} characters.]"
    assert run(f"print('a' * {MAX_OUTPUT + 1})").output == "a" * MAX_OUTPUT + end


def test_a_long_value_is_cut_and_says_so() -> None:
    end = f"\n[Truncated: these are the first {MAX_OUTPUT} characters.]"
    assert run(f"list(range({MAX_OUTPUT}))").value.endswith(end)


def test_a_fault_names_the_lines_that_led_to_it() -> None:
    assert run("def f(x):\n    return 1 / x\n\n\nf(0)").error == (
        "  line 5, in <module>: f(0)\n  line 2, in f: return 1 / x\nZeroDivisionError: division by zero"
    )


def test_a_long_chain_of_lines_is_cut_in_the_middle() -> None:
    lines = str(run("def f(n):\n    return f(n + 1)\n\n\nf(0)").error).splitlines()
    assert lines[3].strip().startswith("… ")
    assert lines[-1] == "RecursionError: maximum recursion depth exceeded"
    assert len(lines) == faults.OUTERMOST + faults.INNERMOST + 2


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("x = 1\ny = = 2", "  line 2: y = = 2\nSyntaxError: Expected an expression"),
        ("x = (", "  at the end of the program\nSyntaxError: unexpected EOF while parsing"),
    ],
)
def test_a_text_that_is_no_program_is_explained(code: str, fault: str) -> None:
    assert run(code).error == fault


def test_what_the_interpreter_cannot_do_is_said() -> None:
    assert "does not yet support yield" in str(run("def f():\n    yield 1").error)


def test_inputs_are_variables() -> None:
    assert run("a['b'] + c", a={"b": 1}, c=2).value == 3


def test_every_error_of_the_interpreter_has_its_place() -> None:
    found = {
        kind
        for kind in vars(pydantic_monty).values()
        if isinstance(kind, type) and issubclass(kind, pydantic_monty.MontyError) and kind is not pydantic_monty.MontyError
    }
    assert found == {pydantic_monty.MontySyntaxError, *faults.PROGRAMS, *faults.SANDBOXES}
