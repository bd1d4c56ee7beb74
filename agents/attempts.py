"""Asking one model after another until one answers, as a policy says."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from agents import policy as decisions
from agents.models.base import ModelError
from agents.policy import LONGEST_BACKOFF, Policy

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
    """Ask each model until one answers, and `note` every attempt. Raises the last one's ModelError.

    A model that asks to be left alone for longer than anybody would wait here is given up at once.
    """
    *before, last = policy.models
    for model in before:
        try:
            return await _of_one(model, policy, ask, note=note, sleep=sleep, random=random, clock=clock)
        except ModelError as error:
            if not decisions.elsewhere(error):
                raise
    return await _of_one(last, policy, ask, note=note, sleep=sleep, random=random, clock=clock)


async def _of_one(
    model: str,
    policy: Policy,
    ask: Callable[[str], Awaitable[T]],
    *,
    note: Callable[[Attempt], None],
    sleep: Callable[[float], Awaitable[None]],
    random: Callable[[], float],
    clock: Callable[[], float],
) -> T:
    """Ask one model as often as the policy says. Raises the last ModelError."""
    failures = 0
    while True:
        begun = clock()
        try:
            answer = await _in_time(ask(model), policy.call_timeout)
        except ModelError as error:
            failures += 1
            note(Attempt(model, error.provider_status, error.code, clock() - begun))
            wait = decisions.backoff(failures, error, random=random)
            if failures >= policy.attempts or wait > 2 * LONGEST_BACKOFF or not decisions.may_pass(error, policy.on_codes):
                raise
        else:
            note(Attempt(model, 200, None, clock() - begun))
            return answer
        await sleep(wait)


async def _in_time(asking: Awaitable[T], seconds: float | None) -> T:
    """Await an attempt for so long at most. Raises ModelError."""
    if seconds is None:
        return await asking
    try:
        async with asyncio.timeout(seconds):
            return await asking
    except TimeoutError:
        raise ModelError("provider_timeout", f"The provider did not answer within {seconds:g} seconds.") from None
