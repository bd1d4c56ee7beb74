"""What a program may not do: each attack succeeds where nothing protects and fails in the sandbox, which serves the next."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.sandbox.base import Sandbox
from agents.sandbox.monty import Monty
from tests.agents.sandbox.attacks import ATTACKS, CANARY, World, attack
from tests.agents.sandbox.unsafe import Exec, Kept

MEMORY = 64 << 20


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("RONDO_CANARY", CANARY)
    secret = tmp_path / "secret"
    secret.write_text(CANARY, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield World(secret=secret, absent=tmp_path / "absent", port=listening.getsockname()[1])


@pytest.mark.parametrize("name", ATTACKS)
def test_what_succeeds_without_a_sandbox_fails_in_it(name: str, world: World) -> None:
    code, succeeded = ATTACKS[name]

    async def both() -> None:
        sandbox = Monty(processes=1, memory=MEMORY)
        assert not succeeded(await attack(sandbox, code, world)), "the sandbox does not hold"
        assert (await sandbox.run("1 + 1", inputs={}, seconds=5)).value == 2, "the sandbox is broken by it"
        await sandbox.aclose()
        assert succeeded(await attack(Exec(), code, world)), "the attack is none"

    asyncio.run(both())


@pytest.mark.parametrize("source", ["(" * 50_000, "x = " + "[" * 9_000 + "]" * 9_000, "-" * 90_000 + "1", "1" + "+1" * 99_000])
def test_a_program_that_is_nested_too_deeply_is_refused(source: str) -> None:
    async def main() -> None:
        sandbox = Monty(processes=1, memory=MEMORY)
        assert "too deeply nested" in str((await sandbox.run(source, inputs={}, seconds=5)).error)
        assert (await sandbox.run("1 + 1", inputs={}, seconds=5)).value == 2
        await sandbox.aclose()

    asyncio.run(main())


async def left_over(sandbox: Sandbox, first: str, second: str) -> object:
    """Run one program with a secret, and another without."""
    await sandbox.run(first, inputs={"secret": CANARY}, seconds=5)
    value = (await sandbox.run(second, inputs={}, seconds=5)).value
    await sandbox.aclose()
    return value


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("mine = 5", "result = mine"),
        ("secret", "result = secret"),
        ("import math as kept", "result = str(kept)"),
        ("print = len", "result = print('four') == 4 or None"),
    ],
)
def test_nothing_of_a_run_is_left_for_the_next(first: str, second: str) -> None:
    assert asyncio.run(left_over(Kept(), first, second)) is not None
    assert asyncio.run(left_over(Monty(processes=1, memory=MEMORY), first, second)) is None
