"""Asking one model after another until one answers, as a policy says."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar, assert_never

from agents import policy as decisions
from agents.models.base import ModelError
from agents.policy import LONGEST_WAIT, Again, Elsewhere, GiveUp, Policy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, as far as the beginning of its answer. `code` is None for the one that was answered."""

    model: str
    status: int | None
    """The provider's HTTP status, if it gave one."""
    code: str | None
    seconds: float


async def first_answer(
    policy: Policy,
    ask: Callable[[str], Awaitable[T]],
    *,
    note: Callable[[Attempt], None],
    sleep: Callable[[float], Awaitable[None]],
    random: Callable[[], float],
    clock: Callable[[], float],
) -> T:
    """Ask each model until one answers, and `note` every attempt that is over. Raises the last one's ModelError.

    A model that asks to be left alone for longer than anybody would wait here is given up at once.
    """
    at = failures = 0
    while True:
        model, begun = policy.models[at], clock()
        try:
            answer = await _in_time(ask(model), policy.call_timeout)
        except ModelError as error:
            failures += 1
            note(Attempt(model, error.provider_status, error.code, clock() - begun))
            last = at + 1 == len(policy.models)
            verdict = decisions.after(error, policy, failures=failures, last=last, patience=LONGEST_WAIT, random=random)
            if isinstance(verdict, GiveUp):
                raise
        else:
            note(Attempt(model, 200, None, clock() - begun))
            return answer
        match verdict:
            case Again(wait):
                await sleep(wait)
            case Elsewhere():
                at, failures = at + 1, 0
            case _:
                assert_never(verdict)


async def _in_time(asking: Awaitable[T], seconds: float | None) -> T:
    """Await an attempt for so long at most. Raises ModelError."""
    if seconds is None:
        return await asking
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await asking
    except TimeoutError:
        if not limit.expired():
            raise
        raise ModelError("provider_timeout", f"The provider did not answer within {seconds:g} seconds.") from None
