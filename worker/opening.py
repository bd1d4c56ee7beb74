"""Opening the secrets that a response's plan names, at the moment of use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agents import secrets
from agents.plan import Plan
from agents.scrub import NOTHING, Scrubber
from shared import db, vault
from shared.errors import RondoError
from shared.items import Json
from shared.vault import SecretGone, SecretUnreadable, VaultLocked

if TYPE_CHECKING:
    from worker.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Opened:
    """What tools are configured with, and what takes it out of everything that is kept."""

    texts: Mapping[str, str] = field(repr=False)
    """The secrets' values by their ids."""
    variables: Json = field(repr=False)
    """The plan's variables, secret ones in clear."""
    scrubber: Scrubber


class Closed(Exception):
    """The secrets cannot be opened, and trying again would not help."""

    def __init__(self, cause: RondoError) -> None:
        """Take the vault's sentence."""
        self.error: Json = {"code": cause.code_value, "message": cause.message}
        super().__init__(cause.message)


async def opened(runtime: Runtime, project_id: str, plan: Plan) -> Opened:
    """Open the plan's secrets; costs nothing without any. Raises Closed."""
    if not plan.secrets:
        return Opened({}, plan.variables, NOTHING)
    async with db.connection(runtime.pool) as session:
        try:
            texts = await vault.load(session, runtime.vault, project_id, plan.secrets)
        except (VaultLocked, SecretGone, SecretUnreadable) as error:
            raise Closed(error) from error
    return Opened(texts, secrets.opened(plan.variables, texts), Scrubber(texts.values()))
