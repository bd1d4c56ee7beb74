"""Opening the secrets that a response's plan names, at the moment of use."""

from agents.plan import Plan
from shared import db, vault
from shared.errors import RondoError
from shared.items import Json
from shared.vault import SecretGone, SecretUnreadable, VaultLocked
from worker.runtime import Runtime


class Closed(Exception):
    """The secrets cannot be opened, and trying again would not help."""

    def __init__(self, cause: RondoError) -> None:
        """Take the vault's sentence."""
        self.error: Json = {"code": cause.code_value, "message": cause.message}
        super().__init__(cause.message)


async def texts(runtime: Runtime, project_id: str, plan: Plan) -> dict[str, str]:
    """Read the values of the plan's secrets by their ids; costs nothing without any. Raises Closed."""
    if not plan.secrets:
        return {}
    async with db.connection(runtime.pool) as session:
        try:
            return await vault.load(session, runtime.vault, project_id, plan.secrets)
        except (VaultLocked, SecretGone, SecretUnreadable) as error:
            raise Closed(error) from error
