"""What the tools of one worker process share: clients and sandboxes, each made when it is first used."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import cached_property, partial
from typing import TYPE_CHECKING

from agents import net
from agents.mcp.sessions import Servers
from agents.tools import search
from agents.tools.search import Search
from shared.settings import Settings

if TYPE_CHECKING:
    import httpx2

    from agents.sandbox.base import Sandbox


class Toolbox:
    """Made at the start of a worker process, closed at its end."""

    def __init__(self, settings: Settings) -> None:
        """Make nothing yet; raise SettingError for what cannot be used."""
        self.settings = settings
        self.networks = net.Networks.from_settings(settings)
        search.check(settings)
        self._open = AsyncExitStack()

    @cached_property
    def http(self) -> "httpx2.AsyncClient":
        """The client for addresses that clients and models name."""
        client = net.client(self.networks)
        self._open.push_async_callback(client.aclose)
        return client

    @cached_property
    def search(self) -> Search | None:
        """The search engine that the operator has chosen."""
        search = Search.from_settings(self.settings)
        if search is not None:
            self._open.push_async_callback(search.aclose)
        return search

    @cached_property
    def reading(self) -> ThreadPoolExecutor:
        """The thread for what computes long: a second one would only take more of the interpreter from the loop."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="reading")
        self._open.callback(thread.shutdown, wait=False, cancel_futures=True)
        return thread

    @cached_property
    def servers(self) -> Servers:
        """The sessions with MCP servers."""
        servers = Servers(partial(net.client, self.networks))
        self._open.push_async_callback(servers.aclose)
        return servers

    @cached_property
    def sandbox(self) -> "Sandbox":
        """Where programs of strangers run."""
        from agents.sandbox.monty import Monty  # noqa: PLC0415  # 10 MB that a process without code tools need not load

        sandbox = Monty(processes=self.settings.sandbox_processes, memory=self.settings.sandbox_memory)
        self._open.push_async_callback(sandbox.aclose)
        return sandbox

    async def aclose(self) -> None:
        """Close whatever was made."""
        await self._open.aclose()
