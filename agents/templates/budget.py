"""What rendering may cost. It happens on an event loop, so it has to be over before anybody notices."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from agents.templates.errors import MissingVariable, TemplateFault
from agents.templates.values import Refused

Finalize: TypeAlias = Callable[[Any], str]
"""Writes a value into its place: quotes it, or checks it and raises `ValueError` with a sentence."""

MAX_TEMPLATE: Final = 64 * 1024
"""Characters of a template that has tags of `jinja` or `mustache`."""
MAX_OUTPUT: Final = 1024 * 1024
"""Characters that one such template may render to."""
MAX_MADE: Final = 4 * 1024 * 1024
"""Characters that all templates of one call may make out of values, intermediate ones included."""
MAX_TICKS: Final = 100_000
"""Units of work of one call, each around a microsecond."""
MAX_SECONDS: Final = 0.1
"""Processor time of one call, for what ticks underestimate."""
MAX_PARSED: Final = 3_000
"""Tokens of all `jinja` templates of one call, or nodes of all `mustache` ones: parsing costs the most."""

_CLOCK_EVERY: Final = 64


class Budget:
    """One call of `render` or `render_tree`: where it is, how it writes values, and what it has spent."""

    def __init__(self, where: str, finalize: Finalize) -> None:
        self.where = where
        self.finalize = finalize
        self.ticks = 0
        self.made = 0
        self.parsed = 0
        self.depth = 0
        self._clock_at = 0
        self._deadline = time.thread_time() + MAX_SECONDS

    def tick(self, cost: int = 1) -> None:
        """Count work, before it is done."""
        self.ticks += cost
        if self.ticks > MAX_TICKS:
            raise Refused("It takes too many steps.")
        if self.ticks >= self._clock_at:
            self._clock_at = self.ticks + _CLOCK_EVERY
            self.check_time()

    def check_time(self) -> None:
        """Refuse to go on when the time is over. The processor's time: a busy machine is no fault of the template."""
        if time.thread_time() > self._deadline:
            raise Refused("It takes too long.")

    def make(self, characters: int) -> None:
        """Count text, before it is made where its length is known."""
        self.made += characters
        if self.made > MAX_MADE:
            raise Refused(f"It makes more than {MAX_MADE} characters of text.")

    def parse(self, size: int) -> None:
        """Count the tags of a template, whether or not it has been parsed before."""
        self.parsed += size
        if self.parsed > MAX_PARSED:
            raise Refused("It has too many tags.")

    @contextmanager
    def deeper(self, limit: int) -> Iterator[None]:
        """Go one call deeper."""
        if self.depth >= limit:
            raise Refused(f"Calls are nested deeper than {limit} levels.")
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def forgive(self, seconds: float) -> None:
        """Leave out of the account what parsing took: the next call finds the result in a cache."""
        self._deadline += seconds

    def write(self, value: Any) -> str:
        """Write a value as text, and count it. Raises `Refused` if the value does not belong here."""
        try:
            text = self.finalize(value)
        except (TypeError, ValueError) as error:
            raise Refused(f"A value cannot be written there. {error}") from error
        self.make(len(text))
        return text

    def missing(self, name: str) -> MissingVariable:
        """Make the error for a variable that was not given."""
        return MissingVariable(name, self.where)

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn what was refused into the error for the one who wrote the template."""
        try:
            yield
        except Refused as error:
            raise self.fault(str(error)) from error

    def fault(self, reason: str) -> TemplateFault:
        """Make the error for a template that cannot be rendered, from a sentence."""
        return TemplateFault(reason, self.where)
