"""The transport of requests to strangers: a name is looked up once, and a socket is made for a checked address."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeAlias

import aiohttp
import httpx2
from aiohttp.abc import AbstractResolver, ResolveResult

from agents.models import transport
from agents.net.networks import Networks

MAX_CONNECTIONS: Final = 50

LookUp: TypeAlias = Callable[[str], Awaitable[list[str]]]
"""Gives all addresses of a name; raises OSError if there are none."""


class Refused(httpx2.ConnectError):
    """A request whose URL or address is forbidden; nothing was sent. Its text is a sentence that names the host alone."""


class _Forbidden(Exception):
    """An address may not be reached. Neither httpx2 nor aiohttp knows it, so that nothing on the way takes it for a failure."""


def client(networks: Networks, *, max_connections: int = MAX_CONNECTIONS, look_up: LookUp | None = None) -> httpx2.AsyncClient:
    """Make a client that reaches what `networks` allow, without cookies, redirects, proxies or timeouts of its own.

    It raises `Refused` for other addresses, however they are written, and for URLs that are not plain HTTP. A pool of
    `max_connections` holds connections that were checked when they were made.
    """
    return transport.client(_Checked(_Gate(networks, look_up), _plain, max_connections=max_connections))


def client_of(url: str, *, max_connections: int = MAX_CONNECTIONS) -> httpx2.AsyncClient:
    """Make a client that reaches the origin of `url`, which the operator has named, wherever that is, and nothing else."""
    origin = _origin(httpx2.URL(url))

    def check(asked: httpx2.URL) -> None:
        _plain(asked)
        if _origin(asked) != origin:
            raise _Forbidden

    everything = Networks.parse(("0.0.0.0/0", "::/0"))
    return transport.client(_Checked(_Gate(everything), check, max_connections=max_connections))


class _Checked(httpx2.AsyncBaseTransport):
    """Sends requests whose URL passes `check`, over sockets that a gate makes."""

    def __init__(self, gate: "_Gate", check: Callable[[httpx2.URL], None], *, max_connections: int) -> None:
        self._gate = gate
        self._check = check
        self._inner = transport.Transport(partial(gate.connector, max_connections))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            self._check(request.url)
            return await self._inner.handle_async_request(request)
        except _Forbidden:
            raise Refused(f"The address of {request.url.host!r} is in a network that may not be reached.") from None

    async def aclose(self) -> None:
        await self._inner.aclose()
        await self._gate.close()


class _Gate(AbstractResolver):
    """Looks names up, and makes sockets, for addresses that may be reached."""

    def __init__(self, networks: Networks, look_up: LookUp | None = None) -> None:
        self._networks = networks
        # Its own threads, because a hostile name server answers as late as it can, and the loop's threads serve all.
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="look-up")
        self._look_up = look_up or self._ask_system

    def connector(self, max_connections: int) -> aiohttp.TCPConnector:
        """Make the connector that knows no addresses but this gate's: without a cache, each connection is one look-up."""
        return aiohttp.TCPConnector(
            limit=max_connections, resolver=self, socket_factory=self._socket, use_dns_cache=False, family=socket.AF_UNSPEC
        )

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Give all addresses of a name if each may be reached: one that may not betrays a name made to deceive."""
        addresses = await self._look_up(host)
        if not all(map(self._networks.allow, addresses)):
            raise _Forbidden
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
            for address in addresses
        ]

    async def close(self) -> None:
        """Wait for no look-up that is under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _socket(self, target: aiohttp.AddrInfoType) -> socket.socket:
        """Make the socket of one connection: the last place to refuse an address, and the only one that sees literals."""
        family, kind, protocol, _, address = target
        if not self._networks.allow(str(address[0])):
            raise _Forbidden
        return socket.socket(family, kind, protocol)

    async def _ask_system(self, host: str) -> list[str]:
        # As bytes, because a text goes through Python's IDNA codec, which raises what is no OSError.
        ask = partial(socket.getaddrinfo, host.encode("ascii"), None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [str(address[0]) for _, _, _, _, address in found]


def _plain(url: httpx2.URL) -> None:
    """Raise Refused for all but `http(s)://host[:port]/…`."""
    if url.scheme not in {"http", "https"} or not url.host:
        raise Refused("The URL must begin with http:// or https:// and name a host.")
    if url.userinfo:
        raise Refused("The URL must not contain a user name or password.")
    if url.port is not None and not 0 < url.port < 65536:
        raise Refused("The URL's port must be between 1 and 65535.")


def _origin(url: httpx2.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
