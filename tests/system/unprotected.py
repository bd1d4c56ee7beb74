"""Starts a process of ours with a protection of secrets switched off: `python -m tests.system.unprotected scrubbing worker`.

What a test looks for must be found then, else it shows nothing.
"""

import runpy
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from agents import resolve
from agents.scrub import Scrubber
from agents.secrets import Secrets, opened
from agents.words import Words
from shared.items import Json
from shared.vault import Sealed, Vault


def scrubbing() -> None:
    """Let scrubbers look for nothing."""
    made = Scrubber.__init__

    def blind(self: Scrubber, _values: Iterable[str]) -> None:
        made(self, ())

    Scrubber.__init__ = blind  # type: ignore[assignment, method-assign]


def boundaries() -> None:
    """Let a text that grows be scrubbed piece by piece."""

    def hasty(self: Scrubber, text: str) -> tuple[str, str]:
        return self.text(text), ""

    Scrubber.split = hasty  # type: ignore[method-assign]


def sealing() -> None:
    """Let a vault keep values as they are."""

    def seal(_self: Vault, value: str, **_: str) -> Sealed:
        return Sealed("none", value.encode())

    def open_(_self: Vault, sealed: Sealed, **_: str) -> str:
        return sealed.data.decode()

    Vault.seal = seal  # type: ignore[assignment, method-assign]
    Vault.open = open_  # type: ignore[assignment, method-assign]


def placeholders() -> None:
    """Let texts for models be rendered with secrets."""
    texts: dict[str, str] = {}
    add = Secrets.add

    def remembered(self: Secrets, text: str) -> Json:
        stand_in = add(self, text)
        texts[stand_in["secret"]] = text
        return stand_in

    def words(engine: Any, variables: Mapping[str, Any], _secret: frozenset[str]) -> Words:
        return Words(engine, opened(dict(variables), texts), frozenset())

    Secrets.add = remembered  # type: ignore[method-assign]
    resolve.Words = words  # type: ignore[assignment, attr-defined]


OFF = {"scrubbing": scrubbing, "boundaries": boundaries, "sealing": sealing, "placeholders": placeholders}

if __name__ == "__main__":
    protection, module, *arguments = sys.argv[1:]
    OFF[protection]()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
