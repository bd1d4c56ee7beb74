"""What the tools of one worker process share: clients and sandboxes, each made when it is first used."""

from contextlib import AsyncExitStack

from shared.settings import Settings


class Toolbox:
    """Made at the start of a worker process, closed at its end."""

    def __init__(self, settings: Settings) -> None:
        """Make nothing yet."""
        self.settings = settings
        self._open = AsyncExitStack()

    async def aclose(self) -> None:
        """Close whatever was made."""
        await self._open.aclose()
