"""A secret inside, and the ways to it from outside. Each is shown to be open where the protection is switched off."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agents import net
from agents.tools.base import ToolError
from tests.agents.net import hostile

Names: TypeAlias = Mapping[str, Sequence[Sequence[str]]]


@dataclass(frozen=True)
class Way:
    """A way in: the URL that is asked for, the answers of the stranger at `outside.test`, and of the name server."""

    url: str
    redirects: tuple[str, ...] = ()
    names: Names = field(default_factory=lambda: {"outside": [[hostile.OUTSIDE]]})


# {inside} is the port of the secret on 127.0.0.1, {outside} that of a stranger.
WAYS: Final = {
    "an address": Way("http://127.0.0.1:{inside}/"),
    "a name": Way("http://inside.test:{inside}/", names={"inside": [["127.0.0.1"]]}),
    "an address in hexadecimal": Way("http://0x7f.1:{inside}/", names={"0x7f": [["127.0.0.1"]]}),
    "an address mapped into IPv6": Way("http://[::ffff:127.0.0.1]:{inside}/"),
    "the same in hexadecimal": Way("http://[::ffff:7f00:1]:{inside}/"),
    "a name of an address mapped into IPv6": Way("http://six.test:{inside}/", names={"six": [["::ffff:127.0.0.1"]]}),
    "a name of an address without meaning": Way("http://zero.test:{inside}/", names={"zero": [["0.0.0.0"]]}),
    "a name of two addresses, one of which may be reached": Way(
        "http://two.test:{inside}/", names={"two": [[hostile.OUTSIDE, "127.0.0.1"]]}
    ),
    "a redirect": Way("http://outside.test:{outside}/", ("http://127.0.0.1:{inside}/",)),
    "a redirect without a scheme": Way("http://outside.test:{outside}/", ("//127.0.0.1:{inside}/",)),
    "a redirect after two": Way("http://outside.test:{outside}/", ("/a", "b?c", "http://127.0.0.1:{inside}/")),
    "a redirect to another name": Way(
        "http://outside.test:{outside}/",
        ("http://inside.test:{inside}/",),
        {"outside": [[hostile.OUTSIDE]], "inside": [["127.0.0.1"]]},
    ),
    "a name whose address changes": Way(
        "http://turning.test:{outside}/",
        ("http://turning.test:{inside}/",),
        {"turning": [[hostile.OUTSIDE], ["127.0.0.1"]]},
    ),
}


def visits(way: Way, networks: net.Networks) -> tuple[int, bytes | str]:
    """Go one way; count the requests that the secret's server saw, and give the answer or the refusal."""

    async def go() -> tuple[int, bytes | str]:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(net.client(networks, look_up=hostile.naming(**way.names)))
            vault = hostile.Vault()
            inside = await stack.enter_async_context(hostile.serving(vault.serve, "127.0.0.1"))
            redirects = [hostile.redirect(place.replace("{inside}", str(inside))) for place in way.redirects]
            stranger = hostile.answering(*redirects, hostile.page(b"nothing here"))
            outside = await stack.enter_async_context(hostile.serving(stranger))
            url = way.url.format(inside=inside, outside=outside)
            try:
                answer = await net.fetch(client, "GET", url, timeout=5, max_bytes=1000)
            except ToolError as error:
                return len(vault.visits), error.message
            return len(vault.visits), answer.body

    return asyncio.run(go())


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def test_no_way_leads_to_the_secret(way: Way) -> None:
    count, said = visits(way, hostile.OPENED)
    assert count == 0
    assert "is in a network that may not be reached." in str(said)


def test_without_the_protection_every_way_does(way: Way) -> None:
    assert visits(way, hostile.EVERYTHING) == (1, hostile.SECRET)


@pytest.mark.parametrize("host", ["2130706433", "127.1", "017700000001", "0177.0.0.1", "127.0.0.1.", "localhost", "[::1]"])
def test_odd_spellings_of_an_inner_address_lead_nowhere(host: str) -> None:
    async def go() -> int:
        vault = hostile.Vault()
        async with net.client(hostile.OPENED) as client, hostile.serving(vault.serve, "127.0.0.1") as port:
            with pytest.raises(ToolError):
                await net.fetch(client, "GET", f"http://{host}:{port}/", timeout=5, max_bytes=1000)
        return len(vault.visits)

    assert asyncio.run(go()) == 0


def test_a_refusal_does_not_say_where_a_name_leads() -> None:
    way = Way("http://db.test:{inside}/", names={"db": [["127.0.0.1"]]})
    assert visits(way, hostile.OPENED)[1] == "The address of 'db.test' is in a network that may not be reached."


def test_a_name_is_looked_up_once_and_the_checked_address_is_the_one_that_is_used() -> None:
    """Were it looked up again for the connection, the second answer would lead inside."""

    async def go() -> bytes:
        names = hostile.naming(turning=[[hostile.OUTSIDE], ["127.0.0.1"]])
        stranger = hostile.answering(hostile.page(b"outside"))
        async with net.client(hostile.OPENED, look_up=names) as client, hostile.serving(stranger) as port:
            return (await net.fetch(client, "GET", f"http://turning.test:{port}/", timeout=5, max_bytes=1000)).body

    assert asyncio.run(go()) == b"outside"


def test_an_answer_of_the_name_server_is_good_for_one_connection() -> None:
    async def go() -> None:
        names = hostile.naming(turning=[[hostile.OUTSIDE], ["127.0.0.1"]])
        stranger = hostile.answering(hostile.page(b"outside"))
        async with net.client(hostile.OPENED, look_up=names) as client, hostile.serving(stranger) as port:
            url = f"http://turning.test:{port}/"
            await net.fetch(client, "GET", url, timeout=5, max_bytes=1000)
            with pytest.raises(ToolError, match="may not be reached"):
                await net.fetch(client, "GET", url, timeout=5, max_bytes=1000)

    asyncio.run(go())


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> int:
        vault = hostile.Vault()
        async with hostile.serving(vault.serve, "127.0.0.1") as inside, hostile.serving(stranger) as outside:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{inside}")
            async with net.client(hostile.OPENED) as client:
                await net.fetch(client, "GET", f"http://{hostile.OUTSIDE}:{outside}/", timeout=5, max_bytes=1000)
        return len(vault.visits)

    stranger = hostile.answering(hostile.page(b"outside"))
    assert asyncio.run(go()) == 0


def test_the_operators_own_client_reaches_one_origin_and_no_other() -> None:
    async def go() -> tuple[bytes, int]:
        vault, other = hostile.Vault(), hostile.Vault()
        async with (
            hostile.serving(vault.serve, "127.0.0.1") as port,
            hostile.serving(other.serve, "127.0.0.1") as beside,
            net.client_of(f"http://127.0.0.1:{port}/search") as client,
        ):
            answer = await net.fetch(client, "GET", f"http://127.0.0.1:{port}/search?q=1", timeout=5, max_bytes=1000)
            with pytest.raises(ToolError, match="may not be reached"):
                await net.fetch(client, "GET", f"http://127.0.0.1:{beside}/", timeout=5, max_bytes=1000)
        return answer.body, len(other.visits)

    assert asyncio.run(go()) == (hostile.SECRET, 0)


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "outside.test")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(hours=1))
    signed = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("outside.test")]), critical=False)
    pem = signed.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(pem + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


def test_a_certificate_is_asked_for_the_name_in_the_url_and_must_be_signed(tmp_path: Path) -> None:
    asked: list[str | None] = []

    async def go() -> None:
        context = _self_signed(tmp_path)
        context.sni_callback = lambda _, name, __: asked.append(name)
        names = hostile.naming(outside=[[hostile.OUTSIDE]])
        stranger = hostile.answering(hostile.page(b"outside"))
        async with (
            hostile.serving(stranger, tls=context) as port,
            net.client(hostile.OPENED, look_up=names) as client,
        ):
            await net.fetch(client, "GET", f"https://outside.test:{port}/", timeout=5, max_bytes=1000)

    with pytest.raises(ToolError, match="could not be reached"):
        asyncio.run(go())
    assert asked == ["outside.test"]
